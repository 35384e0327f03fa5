import { execFile } from 'node:child_process'
import { chmod, lstat, mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Codec, cacheErrorCode } from '@cache/core/backend'
import { expect, it } from 'vitest'
import { fileSystemOf, fileSystemOfMount, fileSystemOfType } from '../src/directory/file-system.ts'
import { FileBackend, type FileBackendOptions } from '../src/index.ts'
import { check, exportTo } from '../src/maintenance/index.ts'
import { valueFiles, withIndex } from './conformance/file-harness.ts'
import { item } from './items.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const large = 'x'.repeat(300_000)

function refusal(options: unknown): { code: unknown; message: string } {
  try {
    new FileBackend(options as FileBackendOptions)
  } catch (error) {
    return { code: cacheErrorCode(error), message: (error as Error).message }
  }
  return { code: undefined, message: '' }
}

it.each<[string, unknown]>([
  ['dir', {}],
  ['dir', { dir: '' }],
  ['dir', { dir: 'a\0b' }],
  ['directory', { dir: 'd', directory: 'e' }],
  ['prefix', { dir: 'd', prefix: '' }],
  ['prefix', { dir: 'd', prefix: 'x'.repeat(201) }],
  ['policy', { dir: 'd', policy: 'least-recently-used' }],
  ['maxBytes', { dir: 'd', maxBytes: 0 }],
  ['maxEntries', { dir: 'd', maxEntries: 1.5 }],
  ['durability', { dir: 'd', durability: 'none' }],
  ['fileMode', { dir: 'd', fileMode: 0o400 }],
  ['dirMode', { dir: 'd', dirMode: 0o600 }],
  ['lockTimeout', { dir: 'd', lockTimeout: -1 }],
  ['maintenanceInterval', { dir: 'd', maintenanceInterval: 0 }],
  ['syncInterval', { dir: 'd', syncInterval: '1x' }],
  ['largeValueBytes', { dir: 'd', largeValueBytes: -1 }],
  ['networkFileSystem', { dir: 'd', networkFileSystem: true }],
  ['engine', { dir: 'd', engine: 'sqlite' }],
  ['clock', { dir: 'd', clock: {} }],
  ['maxDecodedBytes', { dir: 'd', maxDecodedBytes: 0 }],
])('the error of a refused value names the option %s', (name, options) => {
  const { code, message } = refusal(options)
  expect(code).toBe('INVALID_ARGUMENT')
  expect(message).toContain(name)
})

it('the backend creates no file before the first call', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  expect(await readdir(join(dir, '..'))).toEqual([])
  await backend.close()
  expect(await readdir(join(dir, '..'))).toEqual([])
})

it.each([0, 0o022, 0o277, 0o777])('files are 0600 and directories 0700 under the umask %o', async (umask) => {
  const dir = await temporaryDirectory()
  await mkdir(dir)
  const before = process.umask(umask)
  try {
    const backend = new FileBackend({ dir: join(dir, 'deep') })
    await backend.set(item('large', large))
    expect(await modes(join(dir, 'deep'))).toEqual(new Set(['d700', 'f600']))
    await exportTo(backend, join(dir, 'dump'))
    expect((await stat(join(dir, 'dump'))).mode & 0o777).toBe(0o600)
    await backend.close()
  } finally {
    process.umask(before)
  }
})

it('fileMode and dirMode are exact under every umask', async () => {
  const dir = await temporaryDirectory()
  const before = process.umask(0o077)
  try {
    const backend = new FileBackend({ dir, fileMode: 0o664, dirMode: 0o775 })
    await backend.set(item('large', large))
    expect(await modes(dir)).toEqual(new Set(['d775', 'f664']))
    await backend.close()
  } finally {
    process.umask(before)
  }
})

async function modes(dir: string): Promise<Set<string>> {
  const found = new Set<string>()
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  for (const path of [dir, ...entries.map((entry) => join(entry.parentPath, entry.name))]) {
    const info = await lstat(path)
    found.add(`${info.isDirectory() ? 'd' : 'f'}${(info.mode & 0o777).toString(8)}`)
  }
  return found
}

it('keys never become file names', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir, largeValueBytes: 0 })
  for (const key of ['../../escape', '/etc/passwd', 'a/b', '..', 'nul\0', 'CON']) await backend.set(item(key, 'value'))
  for (const path of await valueFiles(dir))
    expect(path.slice(dir.length)).toMatch(/^\/values\/[0-9a-f]{2}\/[0-9a-f]{32}$/)
  await backend.close()
})

it.each(['a', 'A', 'a.b', '../up', 'ü', '%61', 'a%0061', '*'])('the prefix %s has its own cache', async (prefix) => {
  const dir = await temporaryDirectory()
  const others = ['a', 'A', 'a.b', '../up', 'ü', '%61', 'a%0061', '*'].filter((other) => other !== prefix)
  const backend = new FileBackend({ dir, prefix })
  await backend.set(item('k', prefix))
  for (const other of [undefined, ...others]) {
    const beside = new FileBackend(other === undefined ? { dir } : { dir, prefix: other })
    expect(await beside.get('k')).toBe(undefined)
    await beside.set(item('k', 'theirs'))
    await beside.clear()
    await beside.close()
  }
  expect((await backend.get('k'))?.value).toBe(prefix)
  await backend.close()
  expect(await readdir(join(dir, '..'))).toEqual(['cache'])
})

it('the directory itself may be a symbolic link', async () => {
  const dir = await temporaryDirectory()
  await mkdir(`${dir}-real`)
  await symlink(`${dir}-real`, dir)
  const backend = new FileBackend({ dir })
  await backend.set(item('large', large))
  expect((await backend.get('large'))?.value).toBe(large)
  await backend.close()
})

it('a directory that a later version of the package wrote stays unchanged and is refused with UNSUPPORTED', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', 1))
  await backend.close()
  const { writeFile } = await import('node:fs/promises')
  await writeFile(join(dir, 'current'), 'index-2-00000000.sqlite\n')
  const older = new FileBackend({ dir })
  expect(await older.get('a').catch(cacheErrorCode)).toBe('UNSUPPORTED')
  expect(await readFile(join(dir, 'current'), 'utf8')).toBe('index-2-00000000.sqlite\n')
  await older.close()
})

it('network file systems are recognized by their numbers', async () => {
  expect(fileSystemOfType(0x6969)).toEqual({ name: 'NFS', kind: 'network' })
  expect(fileSystemOfType(0xff534d42)).toEqual({ name: 'CIFS', kind: 'network' })
  expect(fileSystemOfType(0xff534d42 | 0)).toEqual({ name: 'CIFS', kind: 'network' })
  expect(fileSystemOfType(0x65735546)).toEqual({ name: 'FUSE', kind: 'perhaps' })
  expect(fileSystemOfType(0xef53)).toEqual({ name: undefined, kind: 'local' })
  expect((await fileSystemOf('/')).kind).not.toBe('network')
})

it('file systems behind FUSE are recognized by their mounts', () => {
  const mounts = `24 1 0:22 / / rw - ext4 /dev/root rw
31 24 0:300 / /mnt/a\\040b rw,nosuid shared:2 - fuse.sshfs me@there:/ rw
32 24 8:1 / /mnt/b rw - fuse.ntfs-3g /dev/sda1 rw
`
  const device = (major: number, minor: number): number => (minor & 0xff) | (major << 8) | ((minor >> 8) << 20)
  expect(fileSystemOfMount(mounts, device(0, 300))).toEqual({ name: 'fuse.sshfs', kind: 'network' })
  expect(fileSystemOfMount(mounts, device(8, 1))).toEqual({ name: 'FUSE', kind: 'perhaps' })
  expect(fileSystemOfMount(mounts, device(0, 44))).toEqual({ name: 'FUSE', kind: 'perhaps' })
  expect(fileSystemOfMount('', device(0, 300))).toEqual({ name: 'FUSE', kind: 'perhaps' })
})

it('a directory works through better-sqlite3 and afterwards through node:sqlite', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir, engine: 'better-sqlite3' })
  await backend.set(item('a', { n: 1 }))
  await backend.set(item('large', large))
  expect(await backend.increment('n', 2)).toBe(2)
  expect((await backend.getMany(['a', 'large', 'none'])).map((found) => found?.value)).toEqual([
    { n: 1 },
    large,
    undefined,
  ])
  expect(await backend.compareAndSet('a', 'wrong', undefined)).toBe(false)
  await backend.clear('l')
  expect((await check(backend)).problems).toEqual([])
  await backend.close()
  // One after the other, never at once: each engine has its own lock table.
  const after = new FileBackend({ dir, engine: 'node:sqlite' })
  expect((await after.get('a'))?.value).toEqual({ n: 1 })
  await after.close()
})

it('every call without any SQLite rejects with UNSUPPORTED, and the message names the remedies', async () => {
  const dir = await temporaryDirectory()
  const without = `
    import { registerHooks } from 'node:module'
    const missing = Object.assign(new Error('not installed'), { code: 'ERR_MODULE_NOT_FOUND' })
    registerHooks({
      resolve(name, context, next) {
        if (name === 'better-sqlite3') throw missing
        return next(name, context)
      },
    })
    const { FileBackend } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)})
    const backend = new FileBackend({ dir: ${JSON.stringify(dir)} })
    await backend.get('a').catch((error) => console.log(JSON.stringify([error.code, error.message])))
    await backend.close()`
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--no-experimental-sqlite',
    '--input-type=module',
    '-e',
    without,
  ])
  const node = process.versions.node
  expect(JSON.parse(stdout)).toEqual([
    'UNSUPPORTED',
    `No SQLite: @cache/file needs Node 22.13 or later, or the optional package better-sqlite3 (this is Node ${node})`,
  ])
})

it('the files beside the index have the permissions of the index', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', 1))
  const names = (await readdir(dir)).filter((name) => name.startsWith('index-'))
  expect(names.length).toBe(3)
  for (const name of names) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600)
  await withIndex(dir, () => undefined)
  await chmod(dir, 0o700)
  await backend.close()
})

it('values of one getMany share no memory when a codec returns its input bytes', async () => {
  const bytesCodec: Codec = { id: 99, name: 'bytes', encode: (value) => value as Uint8Array, decode: (bytes) => bytes }
  const backend = new FileBackend({ dir: await temporaryDirectory(), codec: bytesCodec })
  const keys = Array.from({ length: 50 }, (_, n) => `key ${n}`)
  await backend.setMany(keys.map((key, n) => item(key, new Uint8Array(1000).fill(n))))
  const found = (await backend.getMany(keys)).map((one) => one?.value as Uint8Array)
  expect(found.map((value) => value[0])).toEqual(keys.map((_, n) => n))
  expect(new Set(found.map((value) => value.buffer)).size).toBe(keys.length)
  await backend.close()
})

// From Node 25 on, the permission model forbids fdatasync too.
const permits = Number(process.versions.node.split('.')[0]) < 25

it.runIf(permits)(
  "the backend works under Node's permission model, which forbids threads and changes of modes",
  async () => {
    const dir = await temporaryDirectory()
    const program = `
    const { FileBackend } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)})
    const { check } = await import(${JSON.stringify(new URL('../src/maintenance/index.ts', import.meta.url).href)})
    const backend = new FileBackend({ dir: ${JSON.stringify(dir)} })
    await backend.set({ key: 'large', value: 'x'.repeat(300_000), version: 'v', createdAt: 1 })
    console.log((await backend.get('large')).value.length, JSON.stringify((await check(backend, { fix: true })).problems))
    await backend.close()`
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--permission',
      '--allow-fs-read=*',
      '--allow-fs-write=*',
      '--input-type=module',
      '-e',
      program,
    ])
    expect(stdout).toBe('300000 []\n')
  },
)
