import { createMovableClock } from '@cache/core/conformance'
import { expect, it } from 'vitest'
import { FileBackend } from '../src/index.ts'
import { valueFiles, withIndex } from './file-harness.ts'
import { temporaryDirectory } from './temporary-directory.ts'

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
