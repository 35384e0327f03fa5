import { execFile } from 'node:child_process'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { item } from '../items.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const run = promisify(execFile)

function script(name: string): string {
  return new URL(`../crash/${name}`, import.meta.url).pathname
}

/**
 * Runs a program in its own mount namespace, with a file system of 4 MB on `folder`, half filled by a file. It needs user
 * namespaces or root.
 */
async function onSmallDisk(folder: string, program: readonly string[]): Promise<string> {
  const mount = 'mount -t tmpfs -o size=4m tmpfs "$0" && head -c 2000000 /dev/zero > "$0/ballast" && exec "$@"'
  const { stdout } = await run('unshare', ['-rm', 'sh', '-c', mount, folder, ...program])
  return stdout
}

it('a full disk refuses writes with OUT_OF_MEMORY, keeps acknowledged values readable, and works again when it has space', async () => {
  const folder = join(await temporaryDirectory(), '..')
  const program = [process.execPath, script('small-disk.ts'), join(folder, 'cache'), join(folder, 'ballast')]
  const result = JSON.parse(await onSmallDisk(folder, program))
  expect(result.stored).toBeGreaterThan(20)
  expect(result).toEqual({
    refused: 'OUT_OF_MEMORY',
    large: 'OUT_OF_MEMORY',
    stored: result.stored,
    readable: result.stored,
    leftOver: 0,
    afterwards: 'stored',
    found: 1,
  })
})

it.each(['clear', 'delete one by one', 'deleteMany', 'deleteByTag', 'reopened'])(
  'a disk that the cache itself has filled never refuses removals, which free its space: %s',
  async (how) => {
    for (const bytes of [200, 20_000, 200_000]) {
      const folder = join(await temporaryDirectory(), '..')
      const script = new URL('./full-disk.ts', import.meta.url).pathname
      const mount = 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"'
      const program = [process.execPath, script, join(folder, 'cache'), how, String(bytes)]
      const { stdout } = await run('unshare', ['-rm', 'sh', '-c', mount, folder, ...program])
      expect(JSON.parse(stdout), `${bytes} bytes`).toEqual({
        refusals: ['OUT_OF_MEMORY'],
        many: true,
        failures: [],
        left: 0,
        free: true,
        again: 'stored',
      })
    }
  },
  300_000,
)

it('a read-only directory gives its values and refuses writes with READ_ONLY', async () => {
  const dir = await temporaryDirectory()
  await chmod(join(dir, '..'), 0o755)
  const backend = new FileBackend({ dir, dirMode: 0o755, fileMode: 0o644 })
  await backend.set(item('a', 1))
  await backend.set(item('large', 'x'.repeat(300_000)))
  await backend.close()
  await chmod(dir, 0o555)
  const { stdout } = await run(process.execPath, [script('read-only.ts'), dir])
  await chmod(dir, 0o755)
  expect(JSON.parse(stdout)).toEqual({
    get: 1,
    large: 300_000,
    set: 'READ_ONLY',
    setLarge: 'READ_ONLY',
    delete: 'READ_ONLY',
    increment: 'READ_ONLY',
    again: 1,
  })
})

it('an empty read-only directory refuses every call with READ_ONLY', async () => {
  const dir = await temporaryDirectory()
  await chmod(join(dir, '..'), 0o755)
  await mkdir(dir)
  await chmod(dir, 0o555)
  const { stdout } = await run(process.execPath, [script('read-only.ts'), dir])
  await chmod(dir, 0o755)
  const outcomes = Object.values(JSON.parse(stdout))
  expect(new Set(outcomes)).toEqual(new Set(['READ_ONLY']))
})
