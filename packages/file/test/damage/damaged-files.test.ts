import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, readlink, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { promisify } from 'node:util'
import { type BackendEvent, cacheErrorCode } from '@cache/core/backend'
import { expect, it } from 'vitest'
import { pageBytes } from '../../src/index/schema.ts'
import { FileBackend } from '../../src/index.ts'
import { check } from '../../src/maintenance/index.ts'
import { getStream, setStream } from '../../src/streams/index.ts'
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

async function indexFile(dir: string, ending = ''): Promise<string> {
  return join(dir, (await readFile(join(dir, 'current'), 'utf8')).trim() + ending)
}

/** A directory as a killed process leaves it: all data is in the log, and no checkpoint has run. */
async function leftWithLog(): Promise<{ dir: string; steps: number }> {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir: `${dir}-open` })
  const steps = 40
  for (let step = 0; step < steps; step += 1) {
    await backend.setMany(Array.from({ length: 10 }, (_, n) => item(`key ${n}`, { n, step })))
  }
  await cp(`${dir}-open`, dir, { recursive: true })
  await backend.close()
  return { dir, steps }
}

it('a log that was truncated anywhere, or in which bytes changed, gives an earlier state of all items', async () => {
  const seed = seedOf('LOG_SEED')
  const random = createRandom(seed)
  const { dir, steps } = await leftWithLog()
  const { size } = await stat(await indexFile(dir, '-wal'))
  for (let round = 0; round < 60; round += 1) {
    const repeat = `round ${round}; repeat with LOG_SEED=${seed}`
    const own = `${dir}-${round}`
    await cp(dir, own, { recursive: true })
    const log = await indexFile(own, '-wal')
    // Without the file, as after a loss of power, SQLite reads the log again.
    await rm(await indexFile(own, '-shm'))
    if (round % 2 === 0) await truncate(log, random.below(size))
    else {
      const bytes = await readFile(log)
      bytes.fill(random.below(256), random.below(size), size - random.below(size))
      await writeFile(log, bytes)
    }
    const backend = new FileBackend({ dir: own })
    const found = await backend.getMany(Array.from({ length: 10 }, (_, n) => `key ${n}`))
    const values = found.map((one) => one?.value as { n: number; step: number } | undefined)
    const step = values[0]?.step
    const expected = values.map((_, n) => (step === undefined ? undefined : { n, step }))
    expect(values, repeat).toEqual(expected)
    expect(step ?? 0, repeat).toBeLessThan(steps)
    await backend.set(item('key 3', 'new'))
    expect((await backend.get('key 3'))?.value, repeat).toBe('new')
    expect((await check(backend)).problems, repeat).toEqual([])
    await backend.close()
  }
}, 600_000)

it('a -shm file that is missing or full of noise is created again', async () => {
  const { dir, steps } = await leftWithLog()
  for (const damage of ['missing', 'noise'] as const) {
    const own = `${dir}-${damage}`
    await cp(dir, own, { recursive: true })
    const path = await indexFile(own, '-shm')
    if (damage === 'missing') await unlink(path)
    else await writeFile(path, Buffer.alloc(32_768, 0x5a))
    const backend = new FileBackend({ dir: own })
    expect((await backend.get('key 4'))?.value).toEqual({ n: 4, step: steps - 1 })
    await backend.close()
  }
})

it('a log removed from an open index stays with its holders, and others are refused until they have closed', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', 1))
  await unlink(await indexFile(dir, '-wal'))
  const other = promisify(execFile)(process.execPath, [
    new URL('../crash/first-write.ts', import.meta.url).pathname,
    dir,
    'other',
  ])
  await expect(other).rejects.toThrow(/UNAVAILABLE/)
  await backend.set(item('b', 2))
  expect((await backend.getMany(['a', 'b'])).map((found) => found?.value)).toEqual([1, 2])
  await backend.close()
  const again = new FileBackend({ dir })
  expect((await again.getMany(['a', 'b'])).map((found) => found?.value)).toEqual([1, 2])
  expect((await check(again)).problems).toEqual([])
  await again.set(item('c', 3))
  await again.close()
})

it('pages of zeros anywhere cost only their own items, never produce a wrong value and never end the process', async () => {
  const dir = await temporaryDirectory()
  const text = 'abc'.repeat(40)
  const first = new FileBackend({ dir })
  await first.setMany(Array.from({ length: 300 }, (_, n) => item(`key ${n}`, { n, text })))
  await first.close()
  const whole = await readFile(await indexFile(dir))
  for (let page = 1; page <= whole.length / pageBytes; page += 3) {
    const own = `${dir}-${page}`
    await mkdir(own)
    await cp(join(dir, 'current'), join(own, 'current'))
    const bytes = Buffer.from(whole)
    bytes.fill(0, (page - 1) * pageBytes, page * pageBytes)
    await writeFile(await indexFile(own), bytes)
    const backend = new FileBackend({ dir: own })
    const keys = Array.from({ length: 300 }, (_, n) => `key ${n}`)
    for (const [n, found] of (await backend.getMany(keys)).entries()) {
      if (found !== undefined) expect(found.value, `page ${page}`).toEqual({ n, text })
    }
    await check(backend, { fix: true })
    await backend.set(item('key 7', 'new'))
    expect((await backend.get('key 7'))?.value, `page ${page}`).toBe('new')
    expect((await check(backend)).problems, `page ${page}`).toEqual([])
    await backend.close()
  }
}, 600_000)

it('a directory in place of a value file is a miss with an event, and can be overwritten', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const events = eventsOf(backend)
  await backend.set(item('large', large))
  const [path] = (await valueFiles(dir)) as [string]
  await unlink(path)
  await mkdir(path)
  expect(await backend.get('large')).toBe(undefined)
  expect(codes(events)).toEqual(['DAMAGED'])
  expect(await backend.compareAndSet('large', undefined, item('large', 'new'))).toBe(true)
  expect((await backend.get('large'))?.value).toBe('new')
  await backend.close()
})

it('a directory deleted during writes of large values is created again by one of the next writes', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.set(item('a', 1))
  const bytes = Buffer.alloc(5_000_000, 7)
  const writing = Promise.allSettled(Array.from({ length: 8 }, (_, n) => backend.set(item(`large ${n}`, bytes))))
  await rm(dir, { recursive: true, force: true, maxRetries: 20 })
  for (const outcome of await writing) {
    if (outcome.status === 'rejected') expect(cacheErrorCode(outcome.reason)).toBe('UNAVAILABLE')
  }
  await backend.set(item('again', bytes))
  expect((await backend.get('again'))?.value).toEqual(bytes)
  // Values acknowledged after the directory came back are whole. Values deleted with it are misses.
  for (let n = 0; n < 8; n += 1) {
    const found = await backend.get(`large ${n}`)
    if (found !== undefined) expect(bytes.equals(found.value as Buffer)).toBe(true)
  }
  await backend.close()
})

it('damaged columns are found by a check and do not prevent the replacement of the value', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const a = item('a', 1, { expiresAt: Date.now() + 100_000 })
  await backend.setMany([a, item('b', 2, { expiresAt: Date.now() + 100_000 }), item('c', 3), item('n', 4)])
  await withIndex(dir, (database) =>
    database.exec(
      `update item set version = 'other' where key = 'a'; update item set expires_at = 1 where key in ('b', 'n')`,
    ),
  )
  expect((await check(backend)).problems.map(({ kind, key }) => [kind, key])).toEqual([
    ['item', 'a'],
    ['item', 'b'],
    ['item', 'n'],
  ])
  expect((await backend.get('a'))?.value).toBe(1)
  expect(await backend.compareAndSet('a', undefined, item('a', 'wrong'))).toBe(false)
  expect(await backend.compareAndSet('a', a.version, item('a', 'new'))).toBe(true)
  expect(await backend.increment('n', 1)).toBe(5)
  expect((await check(backend, { fix: true })).problems.map(({ key }) => key)).toEqual(['b'])
  expect((await backend.getMany(['a', 'b', 'c', 'n'])).map((found) => found?.value)).toEqual(['new', undefined, 3, 5])
  await backend.close()
})

it('getMany gives short, long, large, repeated, missing, expired and damaged items their positions', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const events = eventsOf(backend)
  const long = 'y'.repeat(20_000)
  await backend.setMany([
    item('short', 'é\u0000"'),
    item('long', long),
    item('large', large),
    item('expired', 1, { expiresAt: 1 }),
    item('damaged', 'text'),
    item('\u0000\ud800"\u0001', 'hard'),
    item('empty', ''),
    item('waiting', undefined),
  ])
  await withIndex(dir, (database) => database.exec(`update item set frame = 'text' where key = 'damaged'`))
  const keys = [
    'long',
    'short',
    'none',
    'large',
    'short',
    'expired',
    'damaged',
    '\u0000\ud800"\u0001',
    'empty',
    'waiting',
  ]
  const found = await backend.getMany(keys)
  expect(found.map((one) => one?.value)).toEqual([
    long,
    'é\u0000"',
    undefined,
    large,
    'é\u0000"',
    undefined,
    undefined,
    'hard',
    '',
    undefined,
  ])
  expect(found.map((one) => one !== undefined)).toEqual([true, true, false, true, true, false, false, true, true, true])
  expect(codes(events)).toEqual(['DAMAGED'])
  await backend.close()
})

it('bytes that a codec returns from a batch keep no other value in memory', async () => {
  const dir = await temporaryDirectory()
  const asIs = {
    id: 200,
    name: 'as is',
    encode: (value: unknown) => value as Uint8Array,
    decode: (bytes: Uint8Array) => bytes,
  }
  const backend = new FileBackend({ dir, codec: asIs })
  const keys = Array.from({ length: 100 }, (_, n) => `key ${n}`)
  await backend.setMany(keys.map((key, n) => item(key, Buffer.alloc(4000, n))))
  const found = await backend.getMany(keys)
  const values = found.map((one) => one?.value as Uint8Array)
  expect(new Set(values.map((value) => value.buffer)).size).toBe(100)
  expect(values.every((value, n) => Buffer.alloc(4000, n).equals(value))).toBe(true)
  await backend.close()
})

it('a reader that abandons a stream closes its file', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const { key, version, createdAt } = item('stream', 0)
  await setStream(
    backend,
    { key, version, createdAt },
    (function* () {
      for (let n = 0; n < 40; n += 1) yield Buffer.alloc(100_000, n)
    })(),
  )
  const [path] = (await valueFiles(dir)) as [string]
  const openOnes = async (): Promise<number> => {
    const names = await readdir('/proc/self/fd')
    const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')))
    return targets.filter((target) => target === path).length
  }
  const stream = await getStream(backend, 'stream')
  for await (const chunk of stream ?? []) {
    expect((chunk as Buffer)[0]).toBe(0)
    expect(await openOnes()).toBe(1)
    break
  }
  expect(await openOnes()).toBe(0)
  const unread = (await getStream(backend, 'stream')) as Readable
  expect(await openOnes()).toBe(1)
  await finished(unread.destroy()).catch(() => undefined)
  // The thread pool closes the file while it opens this one.
  while ((await openOnes()) > 0);
  expect((await check(backend)).problems).toEqual([])
  await backend.close()
})

it('numbers that JavaScript cannot hold, anywhere in a row, cost at most the value of that row', async () => {
  const kept = ['a', 'b', 'd', 'e']
  for (const column of [
    'checksum',
    'expires_at',
    'streamed',
    'frame',
    'kind',
    'bytes',
    'rank',
    'due_at',
    'stored_at',
  ]) {
    const dir = await temporaryDirectory()
    const backend = new FileBackend({ dir })
    await backend.setMany(['a', 'b', 'c', 'd', 'e'].map((key) => item(key, key)))
    await withIndex(dir, (database) => database.exec(`update item set ${column} = 9223372036854775807 where key = 'c'`))
    // One tick, so that they share a transaction.
    const together = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => backend.get(key)))
    expect(
      [0, 1, 3, 4].map((at) => together[at]?.value),
      column,
    ).toEqual(kept)
    const many = await backend.getMany(['a', 'c', 'b', 'd', 'e'])
    expect(
      [0, 2, 3, 4].map((at) => many[at]?.value),
      column,
    ).toEqual(kept)
    expect(many[1]?.value, column).toBe(together[2]?.value)
    // An item that is absent for a reader is absent for compareAndSet.
    const { version } = many[1] ?? {}
    const outcome = await Promise.all([
      backend.compareAndSet('c', version, item('c', 'new')),
      backend.set(item('f', 'f')),
      backend.delete('c'),
      backend.get('c'),
    ])
    expect(outcome, column).toEqual([true, undefined, true, undefined])
    await backend.close()
  }
})

it('a number that JavaScript cannot hold is found and removed by a check', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  await backend.setMany([item('a', 'a'), item('b', 'b')])
  await withIndex(dir, (database) => database.exec("update item set checksum = 9223372036854775807 where key = 'b'"))
  const problem = { kind: 'item', detail: 'its checksum differs', key: 'b' }
  expect(await check(backend)).toMatchObject({ problems: [{ ...problem, fixed: false }], items: 2 })
  expect(await check(backend, { fix: true })).toMatchObject({ problems: [{ ...problem, fixed: true }] })
  expect(await check(backend)).toMatchObject({ problems: [], items: 1 })
  await backend.close()
})

it('an index without its totals is replaced by one with new totals', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const events = eventsOf(backend)
  await backend.setMany([item('a', 'a'), item('b', 'b')])
  await withIndex(dir, (database) => database.exec('delete from total'))
  await backend.set(item('c', 'c'))
  expect((await backend.getMany(['a', 'b', 'c'])).map((one) => one?.value)).toEqual(['a', 'b', 'c'])
  expect((await backend.stats()).items).toBe(3)
  expect(codes(events)).toEqual(['DAMAGED', 'DAMAGED'])
  await backend.close()
})

it('a key that damage has turned into another type costs only its own item and reaches no listener', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir })
  const events = eventsOf(backend)
  await backend.setMany(['a', 'b', 'c'].map((key) => item(key, key)))
  await withIndex(dir, (database) => database.exec("update item set key = x'62ff' where key = 'b'"))
  const keys: unknown[] = []
  for await (const key of backend.keys()) keys.push(key)
  expect(keys).toEqual(['a', 'c'])
  expect(codes(events)).toEqual(['DAMAGED', 'DAMAGED'])
  expect((await backend.getMany(['a', 'b', 'c'])).map((one) => one?.value)).toEqual(['a', undefined, 'c'])
  await backend.close()
})

it('a value file longer than any value is a miss with an event, and is found by a check', async () => {
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir, maxDecodedBytes: 1_000_000 })
  const events = eventsOf(backend)
  const bytes = 64 * 1024 * 1024 + 1_000_001
  for (const [key, size] of [
    ['grown', bytes],
    ['grown by gigabytes', 3 * 2 ** 30],
  ] as const) {
    await backend.set(item(key, large))
    const [file] = await valueFiles(dir)
    // A file without content takes no space.
    await truncate(file as string, size)
    expect(await backend.get(key)).toBe(undefined)
    expect(codes(events.splice(0))).toEqual(['DAMAGED'])
    expect((await check(backend, { fix: true })).problems.map((problem) => problem.key)).toContain(key)
    for (const left of await valueFiles(dir)) await unlink(left)
  }
  await backend.close()
})
