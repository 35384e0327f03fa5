import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { EncryptionOptions } from '@cache/codecs'
import { cacheErrorCode } from '@cache/core/backend'
import { createMovableClock } from '@cache/core/conformance'
import { expect, it, vi } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { evictToLimits } from '../../src/maintenance/index.ts'
import { JobQueue } from '../../src/queue/index.ts'
import { valueFiles, withIndex } from '../conformance/file-harness.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

interface Setup {
  readonly backend: FileBackend
  /** Another backend of the same directory. */
  readonly other: FileBackend
  /** The queue `q`, through each of them. */
  readonly queue: JobQueue
  readonly otherQueue: JobQueue
  readonly clock: ReturnType<typeof createMovableClock>
  readonly dir: string
}

async function open(): Promise<Setup> {
  const clock = createMovableClock()
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir, clock })
  const other = new FileBackend({ dir, clock })
  return { backend, other, queue: new JobQueue(backend, 'q'), otherQueue: new JobQueue(other, 'q'), clock, dir }
}

it('messages leave each queue in the order in which they were pushed', async () => {
  const { backend, other, queue, otherQueue } = await open()
  for (const value of [1, null, 'three', { four: 4 }, undefined]) if (value !== undefined) await queue.push(value)
  await new JobQueue(backend, 'other').push('x')
  await queue.push('first', { side: 'front' })
  const seen: unknown[] = []
  for (let message = await otherQueue.pull(); message !== undefined; message = await otherQueue.pull()) {
    seen.push(message.value)
    expect(await message.ack()).toBe(true)
  }
  expect(seen).toEqual(['first', 1, null, 'three', { four: 4 }])
  expect((await new JobQueue(other, 'other').pull({ side: 'back' }))?.value).toBe('x')
  await backend.close()
  await other.close()
})

it('a leased message is leased to no other caller until its lease ends', async () => {
  const { backend, other, clock, queue, otherQueue } = await open()
  await queue.push('only')
  const held = await queue.pull({ lease: 1000 })
  expect(held).toMatchObject({ value: 'only', attempts: 1, leasedUntil: clock.now() + 1000 })
  clock.advance(999)
  expect(await otherQueue.pull()).toBe(undefined)
  clock.advance(1)
  const again = await otherQueue.pull()
  expect(again).toMatchObject({ value: 'only', attempts: 2 })
  expect(await held?.ack()).toBe(false)
  expect(await again?.ack()).toBe(true)
  expect(await queue.count()).toBe(0)
  await backend.close()
  await other.close()
})

it('a lease can be extended and released', async () => {
  const { backend, other, clock, queue, otherQueue } = await open()
  await queue.push('only')
  const held = await queue.pull({ lease: 1000 })
  clock.advance(900)
  expect(await held?.extend(1000)).toBe(true)
  clock.advance(900)
  expect(await otherQueue.pull()).toBe(undefined)
  expect(await held?.release()).toBe(true)
  expect((await otherQueue.pull())?.value).toBe('only')
  expect(await held?.ack()).toBe(false)
  await backend.close()
  await other.close()
})

it('an ended lease is invalid, even when no other caller has leased the message', async () => {
  const { backend, other, clock, queue } = await open()
  await queue.push('only')
  const held = await queue.pull({ lease: 10 })
  clock.advance(10)
  expect(await held?.ack()).toBe(false)
  expect(await held?.extend(10)).toBe(false)
  expect(await queue.count()).toBe(1)
  await backend.close()
  await other.close()
})

it('peek shows the next message and leaves it in the queue', async () => {
  const { backend, other, queue, otherQueue } = await open()
  const id = await queue.push('a')
  await queue.push('b')
  expect(await otherQueue.peek()).toMatchObject({ id, value: 'a', attempts: 0 })
  expect(await otherQueue.peek('back')).toMatchObject({ value: 'b' })
  expect(await new JobQueue(other, 'none').peek()).toBe(undefined)
  expect(await queue.count()).toBe(2)
  await backend.close()
  await other.close()
})

it('large messages are in files, which are removed with them', async () => {
  const { backend, other, dir, queue, otherQueue } = await open()
  const large = 'x'.repeat(400_000)
  await queue.push(large)
  expect((await valueFiles(dir)).length).toBe(1)
  const held = await otherQueue.pull()
  expect(held?.value).toBe(large)
  await held?.ack()
  await backend.close()
  await other.close()
  expect(await valueFiles(dir)).toEqual([])
})

it('expired messages are never leased', async () => {
  const { backend, other, clock, queue, otherQueue } = await open()
  await queue.push('brief', { expiresAt: clock.now() + 10 })
  await queue.push('stays')
  clock.advance(10)
  expect(await otherQueue.count()).toBe(1)
  expect((await otherQueue.pull())?.value).toBe('stays')
  await backend.close()
  await other.close()
})

it('a damaged message is reported and removed', async () => {
  const { backend, other, dir, queue, otherQueue } = await open()
  const errors: unknown[] = []
  other.listen((event) => errors.push(event.type))
  await queue.push('damaged')
  await queue.push('whole')
  await withIndex(dir, (database) => database.exec(`update message set frame = x'0102' where position = 1`))
  expect((await otherQueue.pull())?.value).toBe('whole')
  expect(errors).toEqual(['error'])
  expect(await queue.count()).toBe(1)
  await backend.close()
  await other.close()
})

it('messages survive clear, limits and a restart', async () => {
  const { backend, other, clock, dir, queue } = await open()
  await queue.push('stays')
  await backend.clear()
  await backend.close()
  await other.close()
  const small = new FileBackend({ dir, clock, maxEntries: 1 })
  await evictToLimits(small)
  expect((await new JobQueue(small, 'q').pull())?.value).toBe('stays')
  await small.close()
})

it('queue names with NUL and lone surrogates are distinct', async () => {
  const { backend, other } = await open()
  const names = ['', '\0', 'a\0b', 'a\0c', '\ud800', '\ud801', 'a']
  for (const name of names) await new JobQueue(backend, name).push(`in ${JSON.stringify(name)}`)
  for (const name of names) expect((await new JobQueue(other, name).pull())?.value).toBe(`in ${JSON.stringify(name)}`)
  await backend.close()
  await other.close()
})

it('a message whose file is unreachable for some time is not lost, and its callers get the error', async () => {
  const { backend, other, dir, queue, otherQueue } = await open()
  await queue.push('x'.repeat(300_000))
  await rename(join(dir, 'values'), join(dir, 'away'))
  await writeFile(join(dir, 'values'), 'no directory')
  expect(await otherQueue.pull().catch(cacheErrorCode)).toBe('UNAVAILABLE')
  expect(await otherQueue.peek().catch(cacheErrorCode)).toBe('UNAVAILABLE')
  await rm(join(dir, 'values'))
  await rename(join(dir, 'away'), join(dir, 'values'))
  expect(await otherQueue.pull()).toMatchObject({ value: 'x'.repeat(300_000), attempts: 2 })
  await backend.close()
  await other.close()
})

it('a message that another key encrypted is reported and stays for the holders of that key', async () => {
  const { backend, clock, dir } = await open()
  const encryption = (byte: number): EncryptionOptions => ({ keys: [new Uint8Array(32).fill(byte)] })
  const theirs = new FileBackend({ dir, clock, encryption: encryption(1) })
  const mine = new FileBackend({ dir, clock, encryption: encryption(2) })
  const errors: unknown[] = []
  mine.listen((event) => errors.push(event.type === 'error' && cacheErrorCode(event.error)))
  await new JobQueue(theirs, 'q').push('theirs')
  await new JobQueue(mine, 'q').push('mine')
  expect((await new JobQueue(mine, 'q').peek())?.value).toBe('mine')
  expect((await new JobQueue(mine, 'q').pull({ lease: 10 }))?.value).toBe('mine')
  expect(errors).toEqual(['DAMAGED', 'DAMAGED'])
  expect(await new JobQueue(mine, 'q').pull()).toBe(undefined)
  clock.advance(10)
  expect((await new JobQueue(theirs, 'q').pull())?.value).toBe('theirs')
  for (const one of [backend, theirs, mine]) await one.close()
})

it('peek skips a damaged message, as pull does', async () => {
  const { backend, other, dir, queue, otherQueue } = await open()
  for (const value of ['damaged', 'whole']) await queue.push(value)
  await withIndex(dir, (database) => database.exec(`update message set frame = x'0102' where position = 1`))
  expect((await otherQueue.peek())?.value).toBe('whole')
  await backend.close()
  await other.close()
})

it('push and pull never read the whole queue, nor its expired or leased messages one by one', async () => {
  const { backend, other, queue, otherQueue, clock, dir } = await open()
  const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare')
  await queue.push('first')
  await queue.push('second', { side: 'front' })
  await (await queue.pull())?.release()
  await (await queue.pull({ side: 'back' }))?.release()
  const statements = new Set(prepare.mock.calls.map(([sql]) => sql).filter((sql) => /\bmessage\b/.test(sql)))
  prepare.mockRestore()
  expect(statements.size).toBeGreaterThan(5)
  await withIndex(dir, (database) => {
    for (const sql of statements) {
      const plan = database.prepare(`explain query plan ${sql}`).all() as { detail: string }[]
      expect(
        plan.map(({ detail }) => detail).filter((detail) => /^SCAN message|TEMP B-TREE/.test(detail)),
        sql,
      ).toEqual([])
      // SQLite answers one minimum or one maximum by one look at the index, and two by reading all rows
      // (sqlite.org/optoverview.html, 14).
      expect(sql.match(/\b(min|max)\(/g)?.length ?? 1, sql).toBe(1)
    }
    const next = [...statements].filter((sql) => /order by position (asc|desc) limit 1/.test(sql))
    expect(next.length).toBe(2)
    for (const sql of next) {
      // The index has every column of the condition, so rows that may not be pulled are skipped inside it.
      const [plan] = database.prepare(`explain query plan ${sql}`).all() as { detail: string }[]
      expect(plan?.detail).toMatch(/^SEARCH message USING INDEX message_position \(queue=\? AND position[<>]\?\)$/)
    }
    const columns = database
      .prepare('pragma index_info(message_position)')
      .all()
      .map(({ name }) => name)
    expect(columns).toEqual(['queue', 'position', 'leased_until', 'expires_at'])
    database.exec(`
      with recursive n (n) as (select 1 union all select n + 1 from n limit 200000)
      insert into message (queue, position, pushed_at, expires_at, leased_until, bytes, checksum, frame)
      select 'q', 1000000 + n, 0, case when n % 100 = 0 then ${clock.now() + 1000} end,
        case when n < 2000 then ${clock.now() + 1e9} else 0 end, 10, 0, x'00' from n`)
  })
  expect(await otherQueue.count()).toBe(200_002)
  clock.advance(1000)
  expect(await otherQueue.count()).toBe(198_002)
  await otherQueue.pull()
  await backend.close()
  await other.close()
  expect(await withIndex(dir, (database) => database.prepare('select count(*) as n from message').get())).toEqual({
    n: 198_002,
  })
}, 120_000)

it('the next maintenance removes expired messages of a queue without consumers', async () => {
  const clock = createMovableClock()
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir, clock, maintenanceInterval: 1 })
  await new JobQueue(backend, 'q').push('brief', { expiresAt: clock.now() + 10 })
  clock.advance(10)
  const left = (): Promise<unknown> =>
    withIndex(dir, (database) => database.prepare('select count(*) as n from message').get())
  const end = Date.now() + 20_000
  while (((await left()) as { n: number }).n > 0 && Date.now() < end);
  expect(await left()).toEqual({ n: 0 })
  await backend.close()
})

it.each<[string, (queue: JobQueue, backend: FileBackend) => Promise<unknown>, string]>([
  ['undefined', (queue) => queue.push(undefined), 'NOT_STORABLE'],
  [
    'a queue that is no string',
    async (_, backend) => new JobQueue(backend, 5 as unknown as string).push(1),
    'INVALID_ARGUMENT',
  ],
  ['no queue', async (_, backend) => new JobQueue(backend, undefined as unknown as string).pull(), 'INVALID_ARGUMENT'],
  ['another backend', async () => new JobQueue({} as FileBackend, 'q').push(1), 'INVALID_ARGUMENT'],
  ['an unknown side', (queue) => queue.push(1, { side: 'left' as 'front' }), 'INVALID_ARGUMENT'],
  ['an unknown side to pull', (queue) => queue.pull({ side: 'left' as 'front' }), 'INVALID_ARGUMENT'],
  ['an unknown side to peek', (queue) => queue.peek('left' as 'front'), 'INVALID_ARGUMENT'],
  ['a deadline that is no number', (queue) => queue.push(1, { expiresAt: Number.NaN }), 'INVALID_ARGUMENT'],
  ['an unknown option', (queue) => queue.push(1, { ttl: 1 } as object), 'INVALID_ARGUMENT'],
  ['no options', (queue) => queue.pull(null as unknown as object), 'INVALID_ARGUMENT'],
  ['an endless lease', (queue) => queue.pull({ lease: Infinity }), 'INVALID_ARGUMENT'],
])('%s is refused and changes nothing', async (_, work, code) => {
  const { backend, other, queue, otherQueue } = await open()
  expect(await work(queue, backend).catch(cacheErrorCode)).toBe(code)
  expect(await otherQueue.count()).toBe(0)
  await backend.close()
  await other.close()
})

it('a queue of a closed backend rejects with CLOSED', async () => {
  const { backend, other, queue } = await open()
  await queue.push('left')
  await backend.close()
  expect(await queue.pull().catch(cacheErrorCode)).toBe('CLOSED')
  expect(() => new JobQueue(backend, 'q')).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  await other.close()
})
