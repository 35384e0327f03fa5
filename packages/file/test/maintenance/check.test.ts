import { mkdir, readFile, rename, truncate, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheErrorCode } from '@cache/core/backend'
import { expect, it } from 'vitest'
import { pageBytes } from '../../src/index/schema.ts'
import { FileBackend } from '../../src/index.ts'
import { check } from '../../src/maintenance/index.ts'
import { JobQueue } from '../../src/queue/index.ts'
import { valueFiles, withIndex } from '../conformance/file-harness.ts'
import { item } from '../items.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const large = 'x'.repeat(300_000)

async function filled(): Promise<{ backend: FileBackend; dir: string }> {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.setMany(Array.from({ length: 100 }, (_, n) => item(`key ${n}`, { n })))
  await backend.set(item('large', large))
  await backend.set(item('other', large))
  await new JobQueue(backend, 'q').push('message')
  return { backend, dir }
}

/** Writes a file whose last change is an hour ago. */
async function leave(path: string): Promise<void> {
  await writeFile(path, 'left over')
  const hourAgo = new Date(Date.now() - 3_600_000)
  await utimes(path, hourAgo, hourAgo)
}

it('a directory without damage has no problems', async () => {
  const { backend } = await filled()
  expect(await check(backend)).toEqual({ problems: [], items: 102, messages: 1, files: 2 })
  await backend.close()
})

it('every kind of problem is reported, repaired with fix, and gone afterwards', async () => {
  const { backend, dir } = await filled()
  const pathOf = async (key: string): Promise<string> =>
    withIndex(dir, (database) => {
      const { file } = database.prepare('select file from item where key = ?').get(key) as { file: string }
      return join(dir, 'values', file.slice(0, 2), file)
    })
  await unlink(await pathOf('large'))
  await truncate(await pathOf('other'), 1000)
  await withIndex(dir, (database) => {
    database.exec(`update item set frame = x'010203' where key = 'key 7'`)
    database.exec(`update message set frame = x'00'`)
    database.exec('update total set bytes = bytes + 1')
  })
  await mkdir(join(dir, 'values', 'ff'), { recursive: true })
  await leave(join(dir, 'values', 'ff', `ff${'0'.repeat(30)}`))
  await leave(join(dir, 'values', 'ff', `ff${'1'.repeat(30)}.tmp`))
  const kinds = ['item', 'item', 'message', 'missing', 'orphan', 'orphan', 'totals']
  const found = await check(backend)
  expect(found.problems.map((problem) => problem.kind).sort()).toEqual(kinds)
  expect(found.problems.every((problem) => !problem.fixed)).toBe(true)
  const fixed = await check(backend, { fix: true })
  expect(fixed.problems.map((problem) => problem.kind).sort()).toEqual(kinds)
  expect(fixed.problems.every((problem) => problem.fixed)).toBe(true)
  expect((await check(backend)).problems).toEqual([])
  expect((await backend.get('key 8'))?.value).toEqual({ n: 8 })
  expect(await backend.get('key 7')).toBe(undefined)
  await backend.close()
  expect(await valueFiles(dir)).toEqual([])
})

it('a damaged page that no read has visited is found, and fix moves all other rows to a new index', async () => {
  const { backend, dir } = await filled()
  await backend.close()
  const name = (await readFile(join(dir, 'current'), 'utf8')).trim()
  const page = await withIndex(dir, (database) => {
    const row = database.prepare(`select rootpage from sqlite_schema where name = 'item_rank'`).get()
    return (row as { rootpage: number }).rootpage
  })
  const bytes = await readFile(join(dir, name))
  bytes.fill(0, (page - 1) * pageBytes, page * pageBytes)
  await writeFile(join(dir, name), bytes)
  const again = new FileBackend({ dir })
  const found = await check(again)
  expect(found.problems.map((problem) => problem.kind)).toContain('index')
  await check(again, { fix: true })
  expect((await check(again)).problems).toEqual([])
  for (let n = 0; n < 100; n += 1) expect((await again.get(`key ${n}`))?.value).toEqual({ n })
  expect((await again.get('large'))?.value).toBe(large)
  await again.close()
})

it('a check that cannot reach the values rejects and removes nothing', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('large', large))
  await backend.close()
  await rename(join(dir, 'values'), join(dir, 'away'))
  await writeFile(join(dir, 'values'), 'no directory')
  const again = new FileBackend({ dir })
  expect(await check(again, { fix: true }).catch(cacheErrorCode)).toBe('UNAVAILABLE')
  await unlink(join(dir, 'values'))
  await rename(join(dir, 'away'), join(dir, 'values'))
  expect((await again.get('large'))?.value).toBe(large)
  expect((await check(again, { fix: true })).problems).toEqual([])
  await again.close()
})
