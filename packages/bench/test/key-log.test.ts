import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readKeyLog } from '../src/hit-ratio/key-log.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'key-log-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function read(name: string, content: string | Uint8Array): ReturnType<typeof readKeyLog> {
  await writeFile(join(folder, name), content)
  return readKeyLog(join(folder, name))
}

it('a log has one key on each line, and empty lines are ignored', async () => {
  expect(await read('plain', 'a key\nb\r\n\na key\nb\tx')).toEqual({ keys: [0, 1, 0, 2], distinct: 3, total: 3 })
})

it('a log may name bytes after a tab, and be gzipped', async () => {
  const log = { keys: [0, 1, 0], weights: [3, 5, 4], distinct: 2, total: 9 }
  expect(await read('sized', 'a b\t3\nc\t5\na b\t4\n')).toEqual(log)
  expect(await read('sized.gz', gzipSync('a b\t3\nc\t5\na b\t4\n'))).toEqual(log)
})

it('a line without bytes in a log with bytes is refused with its number', async () => {
  await expect(read('torn', 'a\t3\nb\n')).rejects.toThrow('request 2')
})

it('a missing file is an error', async () => {
  await expect(readKeyLog(join(folder, 'absent'))).rejects.toThrow('ENOENT')
})
