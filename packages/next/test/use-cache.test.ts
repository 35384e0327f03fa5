import type { CacheHandler } from 'next/dist/server/lib/cache-handlers/types.js'
import { describe, expect, expectTypeOf, inject, it } from 'vitest'
import { nextCacheHandler } from '../src/index.ts'
import { entry, textOf } from './entries.ts'
import { machineOn, stores } from './stores.ts'

describe.each(stores)("'use cache' on %s", (_, open) => {
  const opened = async () => machineOn(await open(inject('redisUrl')))

  it('an entry comes back, with a stream of its own for each reader', async () => {
    const { handler, clock } = await opened()
    expect(await handler.get('k', [])).toBeUndefined()
    await handler.set('k', Promise.resolve(entry('text', { timestamp: clock.now(), tags: ['t'] })))
    const [first, second] = [await handler.get('k', []), await handler.get('k', [])]
    expect(first).toMatchObject({ tags: ['t'], stale: 300, expire: 3600, revalidate: 60, timestamp: clock.now() })
    expect(await textOf(first)).toBe('text')
    expect(await textOf(second)).toBe('text')
  })

  it('get waits for a running set of the key', async () => {
    const { handler, clock } = await opened()
    let resolve = (_: ReturnType<typeof entry>): void => {}
    const pending = new Promise<ReturnType<typeof entry>>((done) => {
      resolve = done
    })
    const written = handler.set('k', pending)
    const read = handler.get('k', [])
    resolve(entry('text', { timestamp: clock.now() }))
    expect(await textOf(await read)).toBe('text')
    await written
  })

  it('a failed render leaves the entry from before it', async () => {
    const { handler, clock, errors } = await opened()
    await handler.set('k', Promise.resolve(entry('old', { timestamp: clock.now() })))
    const value = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array([1]))
        controller.error(new Error('render failed'))
      },
    })
    await handler.set('k', Promise.resolve({ ...entry('', { timestamp: clock.now() }), value }))
    await handler.set('k', Promise.reject(new Error('render failed')))
    expect(await textOf(await handler.get('k', []))).toBe('old')
    expect(errors).toEqual([])
  })

  it('updateTags of one process removes the entry of another', async () => {
    const backend = await open(inject('redisUrl'))
    const first = machineOn(backend)
    const second = machineOn(backend, { clock: first.clock })
    await first.handler.set('k', Promise.resolve(entry('text', { timestamp: first.clock.now(), tags: ['t'] })))
    first.clock.advance(10)
    await second.handler.updateTags(['t'])
    expect(await first.handler.get('k', [])).toBeUndefined()
  })

  it('updateTags with an expire time asks for a new entry at the next read, and then removes the old one', async () => {
    const { handler, clock } = await opened()
    await handler.set('k', Promise.resolve(entry('text', { timestamp: clock.now(), tags: ['t'] })))
    clock.advance(10)
    await handler.updateTags(['t'], { expire: 300 })
    expect(await handler.get('k', [])).toMatchObject({ revalidate: -1 })
    clock.advance(300_000)
    expect(await handler.get('k', [])).toBeUndefined()
  })

  it('a soft tag that was invalidated after the entry removes it for the routes of the tag', async () => {
    const { handler, clock } = await opened()
    await handler.set('k', Promise.resolve(entry('text', { timestamp: clock.now() })))
    clock.advance(10)
    await handler.updateTags(['_N_T_/a'])
    expect(await handler.get('k', ['_N_T_/a'])).toBeUndefined()
    expect(await handler.get('k', ['_N_T_/b'])).toBeDefined()
  })

  it('an entry that is never served again is not stored', async () => {
    const { handler, clock } = await opened()
    await handler.set('k', Promise.resolve(entry('text', { timestamp: clock.now(), expire: 0 })))
    expect(await handler.get('k', [])).toBeUndefined()
  })
})

it('the static methods are a handler of Next', () => {
  expectTypeOf(nextCacheHandler).returns.toExtend<CacheHandler>()
})
