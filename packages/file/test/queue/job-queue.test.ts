import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EncryptionOptions } from '@cache/codecs'
import { cacheErrorCode } from '@cache/core/backend'
import { createMovableClock } from '@cache/core/conformance'
import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { valueFiles, withIndex } from '../conformance/file-harness.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

async function open(): Promise<{
  backend: FileBackend
  other: FileBackend
  clock: ReturnType<typeof createMovableClock>
  dir: string
}> {
  const clock = createMovableClock()
  const dir = await temporaryDirectory()
  return { backend: new FileBackend({ dir, clock }), other: new FileBackend({ dir, clock }), clock, dir }
}

it('messages come out in the order in which they went in, each queue by itself', async () => {
  const { backend, other } = await open()
  for (const value of [1, null, 'three', { four: 4 }, undefined])
    if (value !== undefined) await backend.push('q', value)
  await backend.push('other', 'x')
  await backend.push('q', 'first', { side: 'front' })
  const seen: unknown[] = []
  for (let message = await other.pull('q'); message !== undefined; message = await other.pull('q')) {
    seen.push(message.value)
    expect(await message.ack()).toBe(true)
  }
  expect(seen).toEqual(['first', 1, null, 'three', { four: 4 }])
  expect((await other.pull('other', { side: 'back' }))?.value).toBe('x')
  await backend.close()
  await other.close()
})

it('a message that is held is handed to nobody else until its lease ends', async () => {
  const { backend, other, clock } = await open()
  await backend.push('q', 'only')
  const held = await backend.pull('q', { lease: 1000 })
  expect(held).toMatchObject({ value: 'only', attempts: 1, leasedUntil: clock.now() + 1000 })
  clock.advance(999)
  expect(await other.pull('q')).toBe(undefined)
  clock.advance(1)
  const again = await other.pull('q')
  expect(again).toMatchObject({ value: 'only', attempts: 2 })
  expect(await held?.ack()).toBe(false)
  expect(await again?.ack()).toBe(true)
  expect(await backend.countMessages('q')).toBe(0)
  await backend.close()
  await other.close()
})

it('a lease can be extended and given back', async () => {
  const { backend, other, clock } = await open()
  await backend.push('q', 'only')
  const held = await backend.pull('q', { lease: 1000 })
  clock.advance(900)
  expect(await held?.extend(1000)).toBe(true)
  clock.advance(900)
  expect(await other.pull('q')).toBe(undefined)
  expect(await held?.release()).toBe(true)
  expect((await other.pull('q'))?.value).toBe('only')
  expect(await held?.ack()).toBe(false)
  await backend.close()
  await other.close()
})

it('a lease that ended cannot be used, even where nobody else has taken the message', async () => {
  const { backend, other, clock } = await open()
  await backend.push('q', 'only')
  const held = await backend.pull('q', { lease: 10 })
  clock.advance(10)
  expect(await held?.ack()).toBe(false)
  expect(await held?.extend(10)).toBe(false)
  expect(await backend.countMessages('q')).toBe(1)
  await backend.close()
  await other.close()
})

it('peekMessage shows the next message and leaves it', async () => {
  const { backend, other } = await open()
  const id = await backend.push('q', 'a')
  await backend.push('q', 'b')
  expect(await other.peekMessage('q')).toMatchObject({ id, value: 'a', attempts: 0 })
  expect(await other.peekMessage('q', 'back')).toMatchObject({ value: 'b' })
  expect(await other.peekMessage('none')).toBe(undefined)
  expect(await backend.countMessages('q')).toBe(2)
  await backend.close()
  await other.close()
})

it('large messages lie in files, which go with them', async () => {
  const { backend, other, dir } = await open()
  const large = 'x'.repeat(400_000)
  await backend.push('q', large)
  expect((await valueFiles(dir)).length).toBe(1)
  const held = await other.pull('q')
  expect(held?.value).toBe(large)
  await held?.ack()
  await backend.close()
  await other.close()
  expect(await valueFiles(dir)).toEqual([])
})

it('expired messages are handed to nobody', async () => {
  const { backend, other, clock } = await open()
  await backend.push('q', 'brief', { expiresAt: clock.now() + 10 })
  await backend.push('q', 'stays')
  clock.advance(10)
  expect(await other.countMessages('q')).toBe(1)
  expect((await other.pull('q'))?.value).toBe('stays')
  await backend.close()
  await other.close()
})

it('a damaged message is reported and left out', async () => {
  const { backend, other, dir } = await open()
  const errors: unknown[] = []
  other.listen((event) => errors.push(event.type))
  await backend.push('q', 'damaged')
  await backend.push('q', 'whole')
  await withIndex(dir, (database) => database.exec(`update message set frame = x'0102' where position = 1`))
  expect((await other.pull('q'))?.value).toBe('whole')
  expect(errors).toEqual(['error'])
  expect(await backend.countMessages('q')).toBe(1)
  await backend.close()
  await other.close()
})

it('messages outlive clear, limits and a restart', async () => {
  const { backend, other, clock, dir } = await open()
  await backend.push('q', 'stays')
  await backend.clear()
  await backend.close()
  await other.close()
  const small = new FileBackend({ dir, clock, maxEntries: 1 })
  await small.cull()
  expect((await small.pull('q'))?.value).toBe('stays')
  await small.close()
})

it('queue names with NUL and lone surrogates are distinct', async () => {
  const { backend, other } = await open()
  const names = ['', '\0', 'a\0b', 'a\0c', '\ud800', '\ud801', 'a']
  for (const name of names) await backend.push(name, `in ${JSON.stringify(name)}`)
  for (const name of names) expect((await other.pull(name))?.value).toBe(`in ${JSON.stringify(name)}`)
  await backend.close()
  await other.close()
})

it('a message whose file cannot be reached for a while is not lost, and whoever asked is told', async () => {
  const { backend, other, dir } = await open()
  await backend.push('q', 'x'.repeat(300_000))
  await rename(join(dir, 'values'), join(dir, 'away'))
  await writeFile(join(dir, 'values'), 'no directory')
  expect(await other.pull('q').catch(cacheErrorCode)).toBe('UNAVAILABLE')
  expect(await other.peekMessage('q').catch(cacheErrorCode)).toBe('UNAVAILABLE')
  await rm(join(dir, 'values'))
  await rename(join(dir, 'away'), join(dir, 'values'))
  expect(await other.pull('q')).toMatchObject({ value: 'x'.repeat(300_000), attempts: 2 })
  await backend.close()
  await other.close()
})

it('a message that another key encrypted is reported and left for those who have that key', async () => {
  const { backend, clock, dir } = await open()
  const encryption = (byte: number): EncryptionOptions => ({ keys: [new Uint8Array(32).fill(byte)] })
  const theirs = new FileBackend({ dir, clock, encryption: encryption(1) })
  const mine = new FileBackend({ dir, clock, encryption: encryption(2) })
  const errors: unknown[] = []
  mine.listen((event) => errors.push(event.type === 'error' && cacheErrorCode(event.error)))
  await theirs.push('q', 'theirs')
  await mine.push('q', 'mine')
  expect((await mine.peekMessage('q'))?.value).toBe('mine')
  expect((await mine.pull('q', { lease: 10 }))?.value).toBe('mine')
  expect(errors).toEqual(['DAMAGED', 'DAMAGED'])
  expect(await mine.pull('q')).toBe(undefined)
  clock.advance(10)
  expect((await theirs.pull('q'))?.value).toBe('theirs')
  for (const one of [backend, theirs, mine]) await one.close()
})

it('peekMessage passes over a damaged message, as pull does', async () => {
  const { backend, other, dir } = await open()
  for (const value of ['damaged', 'whole']) await backend.push('q', value)
  await withIndex(dir, (database) => database.exec(`update message set frame = x'0102' where position = 1`))
  expect((await other.peekMessage('q'))?.value).toBe('whole')
  await backend.close()
  await other.close()
})

it('the length of a queue costs neither push nor pull anything, nor do its expired and its held messages', async () => {
  const { backend, other, clock, dir } = await open()
  await backend.push('q', 'first')
  const cost = async (times: number): Promise<number> => {
    const before = process.cpuUsage()
    for (let n = 0; n < times; n++) {
      await backend.push('q', n)
      await (await backend.pull('q'))?.release()
    }
    const { user, system } = process.cpuUsage(before)
    return (user + system) / times
  }
  await cost(300)
  const short = await cost(300)
  await withIndex(dir, (database) =>
    database.exec(`
      with recursive n (n) as (select 1 union all select n + 1 from n limit 200000)
      insert into message (queue, position, pushed_at, expires_at, leased_until, bytes, checksum, frame)
      select 'q', 1000000 + n, 0, case when n % 100 = 0 then ${clock.now() + 1000} end,
        case when n < 2000 then ${clock.now() + 1e9} else 0 end, 10, 0, x'00' from n`),
  )
  const long = await cost(300)
  // Reading the whole queue once would cost a hundred times as much.
  expect(long).toBeLessThan(10 * short)
  expect(await other.countMessages('q')).toBe(200_601 + 300)
  clock.advance(1000)
  expect(await other.countMessages('q')).toBe(198_601 + 300)
  await other.pull('q')
  await backend.close()
  await other.close()
  expect(await withIndex(dir, (database) => database.prepare('select count(*) as n from message').get())).toEqual({
    n: 198_601 + 300,
  })
}, 120_000)

it('expired messages of a queue that nobody pulls from go with the next round of the janitor', async () => {
  const clock = createMovableClock()
  const dir = await temporaryDirectory()
  const backend = new FileBackend({ dir, clock, janitorInterval: 1 })
  await backend.push('q', 'brief', { expiresAt: clock.now() + 10 })
  clock.advance(10)
  const left = (): Promise<unknown> =>
    withIndex(dir, (database) => database.prepare('select count(*) as n from message').get())
  const end = Date.now() + 20_000
  while (((await left()) as { n: number }).n > 0 && Date.now() < end);
  expect(await left()).toEqual({ n: 0 })
  await backend.close()
})

it.each<[string, (backend: FileBackend) => Promise<unknown>, string]>([
  ['undefined', (backend) => backend.push('q', undefined), 'NOT_STORABLE'],
  ['a queue that is no string', (backend) => backend.push(5 as unknown as string, 1), 'INVALID_ARGUMENT'],
  ['no queue', (backend) => backend.pull(undefined as unknown as string), 'INVALID_ARGUMENT'],
  ['an unknown side', (backend) => backend.push('q', 1, { side: 'left' as 'front' }), 'INVALID_ARGUMENT'],
  ['an unknown side to pull', (backend) => backend.pull('q', { side: 'left' as 'front' }), 'INVALID_ARGUMENT'],
  ['an unknown side to peek', (backend) => backend.peekMessage('q', 'left' as 'front'), 'INVALID_ARGUMENT'],
  ['a deadline that is no number', (backend) => backend.push('q', 1, { expiresAt: Number.NaN }), 'INVALID_ARGUMENT'],
  ['an unknown option', (backend) => backend.push('q', 1, { ttl: 1 } as object), 'INVALID_ARGUMENT'],
  ['no options', (backend) => backend.pull('q', null as unknown as object), 'INVALID_ARGUMENT'],
  ['an endless lease', (backend) => backend.pull('q', { lease: Infinity }), 'INVALID_ARGUMENT'],
])('%s is refused, and changes nothing', async (_, work, code) => {
  const { backend, other } = await open()
  expect(await work(backend).catch(cacheErrorCode)).toBe(code)
  expect(await other.countMessages('q')).toBe(0)
  await backend.close()
  await other.close()
})
