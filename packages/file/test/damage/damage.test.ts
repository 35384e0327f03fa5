import { copyFile, mkdir, readdir, readFile, rm, symlink, truncate, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BackendEvent, cacheErrorCode } from '@cache/core/backend'
import { expect, it } from 'vitest'
import { pageBytes } from '../../src/index/schema.ts'
import { FileBackend } from '../../src/index.ts'
import { check, volume } from '../../src/maintenance/index.ts'
import { valueFiles, withIndex } from '../conformance/file-harness.ts'
import { item } from '../items.ts'
import { createRandom, seedOf } from '../random.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const large = 'x'.repeat(300_000)

function eventsOf(backend: FileBackend): BackendEvent[] {
  const events: BackendEvent[] = []
  backend.listen((event) => events.push(event))
  return events
}

function codes(events: readonly BackendEvent[]): unknown[] {
  return events.map((event) => (event.type === 'error' ? cacheErrorCode(event.error) : event.type))
}

async function indexPath(dir: string): Promise<string> {
  return join(dir, (await readFile(join(dir, 'current'), 'utf8')).trim())
}

async function filled(dir: string, count: number): Promise<void> {
  const backend = new FileBackend({ dir })
  await backend.setMany(Array.from({ length: count }, (_, n) => item(`key ${n}`, { n, text: 'abc'.repeat(40) })))
  await backend.close()
}

it('a truncated value file is a miss with an event, and can be overwritten', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const events = eventsOf(backend)
  await backend.set(item('large', large))
  await backend.set(item('other', large))
  const [path] = await withIndex(dir, (database) => {
    const row = database.prepare(`select file from item where key = 'large'`).get() as { file: string }
    return [join(dir, 'values', row.file.slice(0, 2), row.file)]
  })
  await truncate(path as string, 100_000)
  expect(await backend.get('large')).toBe(undefined)
  expect(codes(events)).toEqual(['DAMAGED'])
  expect((await backend.get('other'))?.value).toBe(large)
  await backend.set(item('large', 'new'))
  expect((await backend.get('large'))?.value).toBe('new')
  await backend.close()
})

it('a missing value file is a miss with an event, and counts as absent for compareAndSet', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const events = eventsOf(backend)
  await backend.set(item('large', large))
  for (const path of await valueFiles(dir)) await unlink(path)
  expect(await backend.get('large')).toBe(undefined)
  expect(codes(events)).toEqual(['DAMAGED'])
  expect(await backend.compareAndSet('large', undefined, item('large', 'new'))).toBe(true)
  expect((await backend.get('large'))?.value).toBe('new')
  await backend.close()
})

it('a symbolic link in place of a value file is not followed', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const events = eventsOf(backend)
  await backend.set(item('large', large))
  const [path] = (await valueFiles(dir)) as [string]
  await copyFile(path, join(dir, '..', 'elsewhere'))
  await unlink(path)
  await symlink(join(dir, '..', 'elsewhere'), path)
  expect(await backend.get('large')).toBe(undefined)
  expect(codes(events)).toEqual(['DAMAGED'])
  await backend.close()
})

it('a symbolic link in place of the directory of values is not followed', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('small', 1))
  await mkdir(join(dir, '..', 'elsewhere'))
  await symlink(join(dir, '..', 'elsewhere'), join(dir, 'values'))
  const refused = await backend.set(item('large', large)).catch(cacheErrorCode)
  expect(refused).toBe('UNAVAILABLE')
  expect(await readdir(join(dir, '..', 'elsewhere'))).toEqual([])
  await backend.close()
})

it('files behind a symbolic link in place of the values are neither counted nor removed by a check', async () => {
  const dir = await temporaryDirectory()
  const elsewhere = join(dir, '..', 'elsewhere')
  const backend = new FileBackend({ dir })
  await backend.set(item('small', 1))
  const before = await volume(backend)
  await mkdir(join(elsewhere, '00'), { recursive: true })
  for (const name of ['precious', join('00', 'precious')]) {
    await writeFile(join(elsewhere, name), 'precious')
    await utimes(join(elsewhere, name), 0, 0)
  }
  await symlink(elsewhere, join(dir, 'values'))
  expect(await volume(backend)).toBe(before)
  expect(await check(backend, { fix: true })).toEqual({ problems: [], items: 1, messages: 0, files: 0 })
  expect(await readdir(elsewhere, { recursive: true })).toEqual(['00', 'precious', join('00', 'precious')])
  await backend.close()
})

it('an index that is a symbolic link is refused', async () => {
  const dir = await temporaryDirectory()
  await filled(dir, 1)
  const path = await indexPath(dir)
  await copyFile(path, join(dir, '..', 'elsewhere'))
  await unlink(path)
  await symlink(join(dir, '..', 'elsewhere'), path)
  const backend = new FileBackend({ dir })
  expect(await backend.get('key 0').catch(cacheErrorCode)).toBe('UNAVAILABLE')
  await backend.close()
})

it('an index overwritten with noise is replaced by an empty one with an event', async () => {
  const dir = await temporaryDirectory()
  await filled(dir, 10)
  await writeFile(await indexPath(dir), Buffer.alloc(40_960, 0x5a))
  const backend = new FileBackend({ dir })
  const events = eventsOf(backend)
  expect(await backend.get('key 1')).toBe(undefined)
  expect(codes(events)).toEqual(['DAMAGED', 'DAMAGED'])
  await backend.set(item('key 1', 'new'))
  expect((await backend.get('key 1'))?.value).toBe('new')
  await backend.close()
  const names = await readdir(dir)
  expect(names.filter((name) => name.startsWith('broken-')).length).toBe(1)
  expect(names.filter((name) => /^index-.*sqlite$/.test(name)).length).toBe(1)
})

it('an index truncated to nothing is an empty cache', async () => {
  const dir = await temporaryDirectory()
  await filled(dir, 10)
  await truncate(await indexPath(dir), 0)
  const backend = new FileBackend({ dir })
  expect(await backend.get('key 1')).toBe(undefined)
  await backend.set(item('key 1', 'new'))
  expect((await backend.get('key 1'))?.value).toBe('new')
  await backend.close()
})

it('a damaged page of the index costs only its own items, and the others move to a new index during use', async () => {
  const dir = await temporaryDirectory()
  await filled(dir, 2000)
  const path = await indexPath(dir)
  const bytes = await readFile(path)
  const pages = await withIndex(dir, (database) => {
    const rows = database.prepare(`select pageno from dbstat where name = 'item' and pagetype = 'leaf'`).all()
    return (rows as { pageno: number }[]).map((row) => row.pageno)
  })
  const page = pages[Math.floor(pages.length / 2)] as number
  bytes.fill(0xee, (page - 1) * pageBytes, page * pageBytes)
  await writeFile(path, bytes)
  const backend = new FileBackend({ dir })
  const events = eventsOf(backend)
  let found = 0
  for (let n = 0; n < 2000; n += 1) {
    const value = (await backend.get(`key ${n}`))?.value as { n: number } | undefined
    if (value === undefined) continue
    expect(value.n).toBe(n)
    found += 1
  }
  expect(codes(events)).toEqual(['DAMAGED', 'DAMAGED'])
  expect(found).toBeGreaterThan(1900)
  expect(found).toBeLessThan(2000)
  await backend.close()
})

async function breakIndex(dir: string): Promise<void> {
  const path = await indexPath(dir)
  const bytes = await readFile(path)
  bytes.fill(0xee, 20 * pageBytes, 22 * pageBytes)
  await writeFile(path, bytes)
}

it('a damaged index is replaced even when the lock file of rescues is full of noise', async () => {
  const dir = await temporaryDirectory()
  await filled(dir, 1000)
  await breakIndex(dir)
  await writeFile(join(dir, 'rescue.sqlite'), Buffer.alloc(5000, 0x5a))
  const backend = new FileBackend({ dir })
  const events = eventsOf(backend)
  let found = 0
  for (let n = 0; n < 1000; n += 1) if ((await backend.get(`key ${n}`)) !== undefined) found += 1
  expect(found).toBeGreaterThan(900)
  expect(codes(events)).toEqual(['DAMAGED', 'DAMAGED'])
  await backend.close()
})

it('a symbolic link in place of the lock file of rescues is refused and creates no file elsewhere', async () => {
  const dir = await temporaryDirectory()
  await filled(dir, 1000)
  await breakIndex(dir)
  await symlink(join(dir, '..', 'elsewhere'), join(dir, 'rescue.sqlite'))
  const backend = new FileBackend({ dir })
  const keys = Array.from({ length: 1000 }, (_, n) => `key ${n}`)
  const outcomes = await Promise.all(keys.map((key) => backend.get(key).then(() => 'read', cacheErrorCode)))
  expect(outcomes).toContain('UNAVAILABLE')
  expect(await readdir(join(dir, '..'))).toEqual(['cache'])
  await unlink(join(dir, 'rescue.sqlite'))
  expect((await Promise.all(keys.map((key) => backend.get(key)))).filter(Boolean).length).toBeGreaterThan(900)
  await backend.close()
})

it('another process with the broken index open changes to the new one', async () => {
  const dir = await temporaryDirectory()
  await filled(dir, 2000)
  const first = new FileBackend({ dir })
  const second = new FileBackend({ dir })
  expect((await first.get('key 0'))?.value).toEqual({ n: 0, text: 'abc'.repeat(40) })
  expect((await second.get('key 0'))?.value).toEqual({ n: 0, text: 'abc'.repeat(40) })
  const path = await indexPath(dir)
  const bytes = await readFile(path)
  bytes.fill(0xee, 4096, bytes.length - 4096)
  await writeFile(path, bytes)
  // Both find the damage at some time. The second one finds the new index.
  for (let n = 0; n < 200; n += 1) await Promise.all([first.get(`key ${n}`), second.get(`key ${n}`)])
  await first.set(item('new', 1))
  expect((await second.get('new'))?.value).toBe(1)
  await second.set(item('new', 2))
  expect((await first.get('new'))?.value).toBe(2)
  await first.close()
  await second.close()
})

it('a lost `current` is created again and names the existing index', async () => {
  const dir = await temporaryDirectory()
  await filled(dir, 3)
  await unlink(join(dir, 'current'))
  const backend = new FileBackend({ dir })
  expect((await backend.get('key 2'))?.value).toEqual({ n: 2, text: 'abc'.repeat(40) })
  await backend.close()
})

it('an unreadable `current` is replaced', async () => {
  const dir = await temporaryDirectory()
  await filled(dir, 3)
  await writeFile(join(dir, 'current'), '../../etc/passwd\n')
  const backend = new FileBackend({ dir })
  expect((await backend.get('key 2'))?.value).toEqual({ n: 2, text: 'abc'.repeat(40) })
  await backend.close()
})

it('a directory deleted during use is created again, empty, with an event', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const events = eventsOf(backend)
  await backend.set(item('a', 1))
  await backend.set(item('large', large))
  await rm(dir, { recursive: true })
  expect(await backend.get('a')).toBe(undefined)
  expect(codes(events)).toEqual(['UNAVAILABLE'])
  await backend.set(item('a', 2))
  await backend.set(item('large', large))
  await backend.close()
  const again = new FileBackend({ dir })
  expect((await again.get('a'))?.value).toBe(2)
  expect((await again.get('large'))?.value).toBe(large)
  await again.close()
})

it('random bytes anywhere in the index never produce a wrong value and never end the process', async () => {
  const seed = seedOf('DAMAGE_SEED')
  const random = createRandom(seed)
  const dir = await temporaryDirectory()
  await filled(dir, 400)
  const path = await indexPath(dir)
  const whole = await readFile(path)
  for (let round = 0; round < 60; round += 1) {
    const repeat = `round ${round}; repeat with DAMAGE_SEED=${seed}`
    const own = `${dir}-${round}`
    await mkdir(own)
    await copyFile(join(dir, 'current'), join(own, 'current'))
    const bytes = Buffer.from(whole)
    for (let flips = 1 + random.below(40); flips > 0; flips -= 1) bytes[random.below(bytes.length)] = random.below(256)
    await writeFile(join(own, path.slice(dir.length)), bytes)
    const backend = new FileBackend({ dir: own })
    for (let n = 0; n < 400; n += 1) {
      const key = `key ${n}`
      const value = (await backend.get(key))?.value
      if (value !== undefined) expect(value, repeat).toEqual({ n, text: 'abc'.repeat(40) })
    }
    for await (const _key of backend.keys());
    await backend.set(item('key 7', 'new'))
    expect((await backend.get('key 7'))?.value, repeat).toBe('new')
    await backend.clear()
    expect(await backend.get('key 7'), repeat).toBe(undefined)
    await backend.close()
  }
}, 600_000)
