import { Cache, type CacheBackend, CacheError } from '@cache/core'
import { MemoryBackend } from '@cache/memory'
import { expect, it, onTestFinished, vi } from 'vitest'
import { closeNextCache, nextCacheHandler } from '../src/index.ts'
import { entry, htmlOf, page, pageContext, textOf } from './entries.ts'
import { ManualClock, machineOn } from './stores.ts'

const request = {}

/** A store that fails on command: all calls, or those that read the invalidations. */
function failingStore() {
  const memory = new MemoryBackend({ maxEntries: 1000 })
  const store = { isDown: false, isUnreadable: false, refused: 0 }
  const guard = <Result>(call: () => Promise<Result>, isRefused = store.isDown): Promise<Result> => {
    if (!isRefused) return call()
    store.refused += 1
    return Promise.reject(new CacheError('UNAVAILABLE', 'down'))
  }
  const backend: CacheBackend = {
    name: 'failing',
    get: (key) => guard(() => memory.get(key)),
    set: (item) => guard(() => memory.set(item)),
    delete: (key) => guard(() => memory.delete(key)),
    clear: (prefix) => guard(() => memory.clear(prefix)),
    getMany: (keys) => guard(() => memory.getMany(keys), store.isDown || store.isUnreadable),
    compareAndSet: (key, version, item) => guard(() => memory.compareAndSet(key, version, item)),
  }
  return { backend, memory, store }
}

/** A clock whose timers a test runs. */
class ClockWithTimers extends ManualClock {
  readonly #timers = new Set<() => void>()

  after(_: number, action: () => void): () => void {
    this.#timers.add(action)
    return () => this.#timers.delete(action)
  }

  runTimers(): void {
    const timers = [...this.#timers]
    this.#timers.clear()
    for (const timer of timers) timer()
  }
}

it('reads are misses and writes are left out while the store fails', async () => {
  const { backend, store } = failingStore()
  const { handler, clock, errors } = machineOn(backend)
  await new handler(request).set('/a', page('a'), {})
  store.isDown = true
  expect(await new handler(request).get('/a', pageContext)).toBeNull()
  await new handler(request).set('/a', page('b'), {})
  expect(await handler.get('k', ['t'])).toBeUndefined()
  await handler.set('k', Promise.resolve(entry('text', { timestamp: clock.now() })))
  expect(new Set(errors)).toEqual(new Set(['get', 'set']))
  store.isDown = false
  expect(await htmlOf(new handler(request), '/a', clock.now())).toBe('a')
})

it('an entry with tags is a miss while its invalidations cannot be read', async () => {
  const { backend, store } = failingStore()
  const { handler, clock } = machineOn(backend)
  await new handler(request).set('/a', page('a', ['t']), {})
  expect(await htmlOf(new handler(request), '/a', clock.now())).toBe('a')
  store.isUnreadable = true
  expect(await new handler(request).get('/a', pageContext)).toBeNull()
})

it('lost invalidations make the entries from before them misses', async () => {
  const memory = new MemoryBackend({ maxEntries: 1000 })
  const { handler, clock } = machineOn(memory)
  await new handler(request).set('/a', page('a', ['t']), {})
  await handler.set('k', Promise.resolve(entry('text', { timestamp: clock.now() })))
  expect(await textOf(await handler.get('k', ['_N_T_/a']))).toBe('text')
  clock.advance(10)
  await memory.clear('next:tags:')
  expect(await new handler(request).get('/a', pageContext)).toBeNull()
  expect(await handler.get('k', ['_N_T_/a'])).toBeUndefined()
  await new handler(request).set('/a', page('b', ['t']), {})
  expect(await htmlOf(new handler(request), '/a', clock.now())).toBe('b')
})

it('a read does not wait for the store to take an entry that this process has', async () => {
  const { backend, memory } = failingStore()
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const slow: CacheBackend = {
    ...backend,
    set: async (item) => {
      await held
      await memory.set(item)
    },
  }
  const { handler, clock } = machineOn(slow)
  const written = handler.set('k', Promise.resolve(entry('text', { timestamp: clock.now() })))
  expect(await textOf(await handler.get('k', []))).toBe('text')
  release()
  await written
  expect(await textOf(await handler.get('k', []))).toBe('text')
})

it('an invalidation during an outage takes effect in its process at once, and in others when it was sent', async () => {
  const { backend, memory, store } = failingStore()
  const clock = new ClockWithTimers()
  const first = machineOn(backend, { clock })
  // The other process is not cut off.
  const second = machineOn(memory, { clock })
  await new first.handler(request).set('/a', page('a', ['t']), {})
  await new second.handler(request).set('/b', page('b', ['t']), {})
  clock.advance(10)
  store.isDown = true
  await first.handler.updateTags(['t'])
  expect(first.errors).toContain('revalidateTag')
  const attempts = store.refused
  clock.runTimers()
  await vi.waitFor(() => expect(store.refused).toBeGreaterThan(attempts))
  store.isDown = false
  expect(await new first.handler(request).get('/a', pageContext)).toBeNull()
  expect(await htmlOf(new second.handler(request), '/b', clock.now())).toBe('b')
  clock.runTimers()
  await vi.waitFor(async () => expect(await new second.handler(request).get('/b', pageContext)).toBeNull())
  clock.advance(10)
  await new first.handler(request).set('/a', page('c', ['t']), {})
  expect(await htmlOf(new first.handler(request), '/a', clock.now())).toBe('c')
})

it('closing sends invalidations once more, and reports those that are lost', async () => {
  const { backend, store } = failingStore()
  const errors: string[] = []
  const open = () => new Cache({ backend })
  const handler = nextCacheHandler(open, { name: 'closing', onError: (error) => errors.push(String(error)) })
  store.isDown = true
  await handler.updateTags(['t'])
  await closeNextCache('closing')
  expect(errors.at(-1)).toContain('1 invalidations did not reach the store')
})

it('a cache that cannot be opened is opened again by the next use', async () => {
  let attempts = 0
  const clock = new ManualClock()
  const errors: unknown[] = []
  const handler = nextCacheHandler(
    () => {
      attempts += 1
      if (attempts === 1) throw new Error('no address yet')
      return new Cache({ backend: new MemoryBackend({ maxEntries: 100 }) })
    },
    { name: 'opening', clock, onError: (error) => errors.push(error) },
  )
  onTestFinished(() => closeNextCache('opening'))
  expect(await handler.get('k', [])).toBeUndefined()
  expect(String(errors[0])).toContain('no address yet')
  await handler.set('k', Promise.resolve(entry('text', { timestamp: clock.now() })))
  expect(await textOf(await handler.get('k', []))).toBe('text')
})

it('without onError, the first failure of each operation is a warning', async () => {
  const warnings: string[] = []
  const listener = (warning: Error): void => {
    if (warning.message.includes('no address')) warnings.push(warning.message)
  }
  process.on('warning', listener)
  onTestFinished(() => void process.off('warning', listener))
  const handler = nextCacheHandler(
    () => {
      throw new Error('no address')
    },
    { name: 'warning' },
  )
  onTestFinished(() => closeNextCache('warning'))
  await handler.get('k', [])
  await handler.get('k', [])
  await handler.set('k', Promise.resolve(entry('text', { timestamp: Date.now() })))
  await vi.waitFor(() => expect(warnings).toHaveLength(2))
  expect(warnings[0]).toContain('failed in get: no address')
})

it('an onError that throws fails no request', async () => {
  const handler = nextCacheHandler(
    () => {
      throw new Error('no address')
    },
    {
      name: 'throwing',
      onError: () => {
        throw new Error('from onError')
      },
    },
  )
  onTestFinished(() => closeNextCache('throwing'))
  expect(await handler.get('k', [])).toBeUndefined()
})
