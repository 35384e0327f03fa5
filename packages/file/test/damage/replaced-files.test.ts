import { execFileSync } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { cacheErrorCode } from '@cache/core/backend'
import { expect, it } from 'vitest'
import { readLines } from '../../src/disk/read-lines.ts'
import { FileBackend } from '../../src/index.ts'
import { check, exportTo, flush, importFrom, importKeyvFile } from '../../src/maintenance/index.ts'
import { JobQueue } from '../../src/queue/index.ts'
import { getStream, setStream } from '../../src/streams/index.ts'
import { valueFiles } from '../conformance/file-harness.ts'
import { item } from '../items.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { codesOf } from './events.ts'

const large = 'x'.repeat(300_000)

/** Puts something else in the place of a file. */
const replacements = {
  pipe: (path) => void execFileSync('mkfifo', [path]),
  socket: async (path) => {
    const server = createServer()
    // A long path has no room in the address of a socket.
    const folder = process.cwd()
    process.chdir(join(path, '..'))
    await new Promise<void>((resolve) => server.listen(path.split('/').at(-1), resolve))
    process.chdir(folder)
    server.unref()
  },
  directory: (path) => mkdir(path),
  'full directory': async (path) => {
    await mkdir(path)
    await writeFile(join(path, 'content'), 'x')
  },
  'symbolic link': async (path) => {
    await writeFile(`${path}-elsewhere`, 'elsewhere')
    await symlink(`${path}-elsewhere`, path)
  },
  'empty file': (path) => writeFile(path, ''),
  'huge sparse file': async (path) => {
    await writeFile(path, '')
    await truncate(path, 3 * 2 ** 30)
  },
  nothing: () => undefined,
} satisfies Record<string, (path: string) => Promise<void> | void>

type Replacement = keyof typeof replacements
const every = Object.keys(replacements) as Replacement[]

async function replace(path: string, by: Replacement): Promise<void> {
  await rm(path, { recursive: true, force: true })
  await replacements[by](path)
}

async function namesOf(
  dir: string,
): Promise<Record<'index' | 'wal' | 'shm' | 'journal' | 'current' | 'rescue' | 'lock', string>> {
  const index = join(dir, (await readFile(join(dir, 'current'), 'utf8')).trim())
  return {
    index,
    wal: `${index}-wal`,
    shm: `${index}-shm`,
    journal: `${index}-journal`,
    current: join(dir, 'current'),
    rescue: join(dir, 'rescue.sqlite'),
    lock: join(dir, 'current.sqlite'),
  }
}

it.each(every)(
  'a value file replaced by %s is a miss with an event for every call',
  async (by) => {
    const dir = await temporaryDirectory()
    const backend = new FileBackend({ dir })
    const codes = codesOf(backend)
    const { key, version, createdAt } = item('streamed', 0)
    await backend.set(item('whole', large))
    await setStream(backend, { key, version, createdAt }, [large])
    await new JobQueue(backend, 'q').push(large)
    for (const path of await valueFiles(dir)) await replace(path, by)
    expect(await backend.get('whole')).toBe(undefined)
    expect(await backend.getMany(['whole', 'streamed'])).toEqual([undefined, undefined])
    expect(codes.splice(0)).toEqual(['DAMAGED', 'DAMAGED', 'DAMAGED'])
    // An empty or sparse file is readable, so the damage shows later, in the stream.
    const stream = await getStream(backend, 'streamed')
    if (stream === undefined) expect(codes.splice(0)).toEqual(['DAMAGED'])
    else await expect(stream.toArray()).rejects.toMatchObject({ code: 'DAMAGED' })
    expect(await new JobQueue(backend, 'q').pull()).toBe(undefined)
    const { problems } = await check(backend, { fix: true })
    expect(problems.map((problem) => problem.key)).toEqual(expect.arrayContaining(['whole', 'streamed']))
    await backend.set(item('whole', 'new'))
    expect((await backend.get('whole'))?.value).toBe('new')
    await flush(backend)
    await backend.close()
  },
  60_000,
)

it.each(every)(
  'compareAndSet over a value file replaced by %s takes the item as absent',
  async (by) => {
    const dir = await temporaryDirectory()
    const backend = new FileBackend({ dir })
    const old = item('a', large)
    await backend.set(old)
    for (const path of await valueFiles(dir)) await replace(path, by)
    expect(await backend.compareAndSet('a', old.version, item('a', 'wrong'))).toBe(false)
    expect(await backend.compareAndSet('a', undefined, item('a', large))).toBe(true)
    expect((await backend.get('a'))?.value).toBe(large)
    await backend.close()
  },
  60_000,
)

it.each(every)(
  'values are stored and read beside directories of values replaced by %s',
  async (by) => {
    const dir = await temporaryDirectory()
    const backend = new FileBackend({ dir, largeValueBytes: 100 })
    const codes = codesOf(backend)
    await backend.set(item('lost', large))
    const [path] = (await valueFiles(dir)) as [string]
    await replace(join(path, '..'), by)
    expect(await backend.get('lost')).toBe(undefined)
    expect(codes).toEqual(['DAMAGED'])
    // Some of these names would belong into the replaced directory.
    const keys = Array.from({ length: 600 }, (_, n) => `key ${n}`)
    await backend.setMany(keys.map((key) => item(key, key.repeat(30))))
    const found = await backend.getMany(keys)
    expect(found.map((one) => one?.value)).toEqual(keys.map((key) => key.repeat(30)))
    await backend.delete('lost')
    await flush(backend)
    await backend.close()
  },
  60_000,
)

it.each(every)(
  'the file `current` replaced by %s names the index again, with an event',
  async (by) => {
    const dir = await temporaryDirectory()
    const first = new FileBackend({ dir })
    await first.set(item('a', 1))
    await first.close()
    await replace(join(dir, 'current'), by)
    const backend = new FileBackend({ dir })
    const codes = codesOf(backend)
    if (by === 'symbolic link') {
      expect(await backend.get('a').catch(cacheErrorCode)).toBe('UNAVAILABLE')
    } else {
      expect((await backend.get('a'))?.value).toBe(1)
      expect(new Set(codes)).toEqual(new Set(['DAMAGED']))
    }
    await backend.close()
  },
  60_000,
)

it.each(every)(
  'an index replaced by %s is an empty cache with an event',
  async (by) => {
    const dir = await temporaryDirectory()
    const first = new FileBackend({ dir })
    await first.set(item('a', 1))
    await first.close()
    await replace((await namesOf(dir)).index, by)
    const backend = new FileBackend({ dir })
    const codes = codesOf(backend)
    if (by === 'symbolic link') {
      expect(await backend.get('a').catch(cacheErrorCode)).toBe('UNAVAILABLE')
    } else {
      expect(await backend.get('a')).toBe(undefined)
      expect(new Set(codes)).toEqual(new Set(['DAMAGED']))
      await backend.set(item('a', 2))
      expect((await backend.get('a'))?.value).toBe(2)
      expect((await check(backend)).problems).toEqual([])
    }
    await backend.close()
  },
  60_000,
)

const beside = (['wal', 'shm', 'journal', 'rescue', 'lock'] as const).flatMap((name) =>
  every.map((by): [typeof name, Replacement] => [name, by]),
)

it.each(beside)(
  'the %s file beside a closed index replaced by %s costs no item',
  async (name, by) => {
    const dir = await temporaryDirectory()
    const first = new FileBackend({ dir })
    await first.set(item('a', 1))
    await first.close()
    const names = await namesOf(dir)
    await replace(names[name], by)
    if (name === 'rescue' || name === 'lock') {
      // Both locks are needed for a lost `current`.
      await rm(names.current)
    }
    const backend = new FileBackend({ dir })
    const outcome = await backend.get('a').then((found) => found?.value, cacheErrorCode)
    if (by === 'symbolic link') {
      expect(outcome).toBe('UNAVAILABLE')
      expect(await readFile(`${names[name]}-elsewhere`, 'utf8')).toBe('elsewhere')
    } else expect(outcome).toBe(1)
    await backend.close()
  },
  60_000,
)

it('a read-only process never waits for a pipe in the place of a file of the index', async () => {
  const dir = await temporaryDirectory()
  const first = new FileBackend({ dir })
  await first.set(item('a', 1))
  await first.close()
  const { index } = await namesOf(dir)
  const program = `
    const { FileBackend } = await import(${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)})
    if (process.getuid() === 0) process.setuid(65534)
    const backend = new FileBackend({ dir: process.argv[1] })
    console.log(await backend.get('a').then((found) => String(found?.value), (error) => error.code))
    await backend.close()`
  execFileSync('chmod', ['755', join(dir, '..')])
  for (const suffix of ['', '-journal', '-wal', '-shm']) {
    const own = `${dir}-copy${suffix}`
    await cp(dir, own, { recursive: true })
    await replace(index.replace(dir, own) + suffix, 'pipe')
    execFileSync('chmod', ['-R', 'a+rX,a-w', own])
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program, own], { timeout: 30_000 })
    execFileSync('chmod', ['-R', 'u+w', own])
    expect(output.toString().trim(), suffix).toBe('UNAVAILABLE')
  }
}, 120_000)

it('pipes in the place of many value files do not hold up other file operations', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const keys = Array.from({ length: 12 }, (_, n) => `key ${n}`)
  await backend.setMany([...keys.map((key) => item(key, large))])
  for (const path of await valueFiles(dir)) await replace(path, 'pipe')
  const reads = backend.getMany(keys)
  expect((await readdir(dir)).length).toBeGreaterThan(0)
  expect(await reads).toEqual(keys.map(() => undefined))
  await backend.close()
})

it.each<Replacement>(['pipe', 'directory', 'nothing'])('an import from %s rejects', async (by) => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await replace(`${dir}.dump`, by)
  expect(await importFrom(backend, `${dir}.dump`).catch(cacheErrorCode)).toBe('UNAVAILABLE')
  if (by === 'pipe') expect(await importKeyvFile(backend, `${dir}.dump`)).toMatchObject({ imported: 0, failed: 1 })
  await backend.close()
})

it('an import through a symbolic link works', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', 1))
  await exportTo(backend, `${dir}.dump`)
  await symlink(`${dir}.dump`, `${dir}.link`)
  expect(await importFrom(backend, `${dir}.link`)).toEqual({ imported: 1, failures: [], failed: 0 })
  await backend.close()
})

it('a line of a dump or a keyv-file longer than any text is a failure of this line', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', 1))
  await exportTo(backend, `${dir}.dump`)
  await truncate(`${dir}.dump`, 2 ** 29 + 1000)
  expect(await importFrom(backend, `${dir}.dump`)).toMatchObject({
    imported: 1,
    failures: [{ at: 'line 3', reason: 'it is too long' }],
  })
  await truncate(`${dir}.dump`, 3 * 2 ** 30)
  expect(await importKeyvFile(backend, `${dir}.dump`)).toMatchObject({ imported: 0, failed: 1 })
  await backend.close()
}, 300_000)

it('only lines longer than the limit are skipped, wherever the reads of the file end', async () => {
  const path = `${await temporaryDirectory()}.txt`
  const lines = ['', 'a', 'é'.repeat(100), 'x'.repeat(101), 'y'.repeat(600_000), 'b\r', '', 'z'.repeat(100)]
  await writeFile(path, lines.join('\n'))
  const read: (string | undefined)[] = []
  for await (const line of readLines(path, 100)) read.push(line)
  expect(read).toEqual(['', 'a', lines[2], undefined, undefined, 'b', '', lines[7]])
})
