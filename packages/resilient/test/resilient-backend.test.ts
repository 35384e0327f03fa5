import type { CacheErrorCode, Item } from '@cache/core/backend'
import { MemoryBackend } from '@cache/memory'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ResilientBackend, type ResilientOptions } from '../src/index.ts'
import { BreakableBackend } from './breakable-backend.ts'

/** cockatiel reads the machine's clock and timers: they stand still and are moved; everything else runs. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

function rig(options: Partial<ResilientOptions> = {}): { store: BreakableBackend; backend: ResilientBackend } {
  const store = new BreakableBackend(new MemoryBackend({ maxEntries: 1000 }))
  return { store, backend: new ResilientBackend({ backend: store, ...options }) }
}

function item(key: string, value: unknown, version = 'v'): Item {
  return { key, value, version, createdAt: 0 }
}

/** Resolves when everything that waits for nothing but other promises has run. */
async function settled(): Promise<void> {
  for (let round = 0; round < 3; round += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** The code with which the call ends, or `done`; `undefined` while it is pending. */
function outcome(call: Promise<unknown>): { code: CacheErrorCode | 'done' | undefined } {
  const seen: { code: CacheErrorCode | 'done' | undefined } = { code: undefined }
  call.then(
    () => {
      seen.code = 'done'
    },
    (error) => {
      seen.code = error.code
    },
  )
  return seen
}

async function pass(ms: number): Promise<void> {
  await settled()
  vi.advanceTimersByTime(ms)
  await settled()
}

describe('the time limit', () => {
  it('R41: rejects a call that hangs with TIMEOUT, and not before', async () => {
    const { store, backend } = rig({ timeout: 200, retry: false })
    store.hangs = true
    const calls = [
      backend.get('k'),
      backend.set(item('k', 1)),
      backend.delete('k'),
      backend.clear(),
      backend.getMany?.(['k']),
      backend.setMany?.([item('k', 1)]),
      backend.deleteMany?.(['k']),
      backend.compareAndSet?.('k', undefined, item('k', 1)),
      backend.increment?.('k', 1),
      backend.stats?.(),
      backend.keys?.()[Symbol.asyncIterator]().next(),
    ].map((call) => outcome(call as Promise<unknown>))
    await pass(199)
    expect(calls.map(({ code }) => code)).toEqual(calls.map(() => undefined))
    await pass(1)
    expect(calls.map(({ code }) => code)).toEqual(calls.map(() => 'TIMEOUT'))
  })

  it('names operation, backend and key in the error', async () => {
    const { store, backend } = rig({ timeout: 200, retry: false })
    store.hangs = true
    const call = backend.get('k').catch((error) => error)
    await pass(200)
    expect(await call).toMatchObject({ code: 'TIMEOUT', operation: 'get', backend: 'breakable', key: 'k' })
  })

  it('accepts an answer that was only not read yet because the event loop was blocked', async () => {
    const { store, backend } = rig({ timeout: 200 })
    await store.inner.set(item('k', 1))
    const held = store.hold('get')
    const call = backend.get('k')
    await held.reached
    // The timer fires first, the answer is there one round of the event loop later.
    vi.advanceTimersByTime(500)
    setImmediate(held.open)
    expect((await call)?.value).toBe(1)
  })
})

describe('retries', () => {
  it('a read is tried again after an outage, with growing delays, and answers when the store is back', async () => {
    const { store, backend } = rig({ retry: { retries: 3, delay: 100, maxDelay: 200 } })
    await store.inner.set(item('k', 1))
    for (const failure of ['UNAVAILABLE', 'TIMEOUT', 'BACKEND_FAILURE', 'no CacheError'] as const) {
      store.calls.splice(0)
      store.failure = failure
      const call = backend.get('k')
      await pass(0)
      expect(store.calls).toHaveLength(1)
      await pass(200)
      expect(store.calls).toHaveLength(2)
      store.failure = undefined
      await pass(200)
      expect((await call)?.value).toBe(1)
      expect(store.calls).toHaveLength(3)
    }
  })

  it('gives up after its tries, with the last error', async () => {
    const { store, backend } = rig({ retry: { retries: 2, delay: 10 }, breaker: false })
    store.failure = 'UNAVAILABLE'
    const call = outcome(backend.get('k'))
    for (let round = 0; round < 3; round += 1) await pass(1000)
    expect(call.code).toBe('UNAVAILABLE')
    expect(store.calls).toEqual(['get k', 'get k', 'get k'])
  })

  it('a write is tried again when it surely ended, and not after a time-out, since it may still land', async () => {
    const { store, backend } = rig({ retry: { retries: 1, delay: 10 }, breaker: false })
    const writes = {
      set: () => backend.set(item('k', 1)),
      delete: () => backend.delete('k'),
      clear: () => backend.clear(),
      setMany: () => backend.setMany?.([item('k', 1)]),
      deleteMany: () => backend.deleteMany?.(['k']),
    }
    for (const [name, write] of Object.entries(writes)) {
      for (const [failure, tries] of [
        ['UNAVAILABLE', 2],
        ['TIMEOUT', 1],
        ['BACKEND_FAILURE', 1],
      ] as const) {
        store.calls.splice(0)
        store.failure = failure
        const call = outcome(write() as Promise<unknown>)
        await pass(1000)
        expect(call.code, name).toBe(failure)
        expect(store.calls, `${name} after ${failure}`).toHaveLength(tries)
      }
    }
  })

  it('increment and compareAndSet are never tried again, whatever they failed with', async () => {
    const { store, backend } = rig({ retry: { retries: 3, delay: 1 }, breaker: false })
    for (const failure of ['UNAVAILABLE', 'TIMEOUT', 'BACKEND_FAILURE'] as const) {
      store.lostAnswers = failure
      const calls = [backend.increment?.('n', 1), backend.compareAndSet?.(failure, undefined, item(failure, 1))]
      const outcomes = calls.map((call) => outcome(call as Promise<unknown>))
      await pass(1000)
      expect(outcomes.map(({ code }) => code)).toEqual([failure, failure])
    }
    store.lostAnswers = undefined
    expect((await backend.get('n'))?.value).toBe(3)
    expect(store.calls.filter((call) => call.startsWith('increment'))).toHaveLength(3)
  })

  it('what the store refuses is not tried again', async () => {
    const { store, backend } = rig()
    for (const failure of ['NOT_A_NUMBER', 'NOT_STORABLE', 'OUT_OF_MEMORY', 'READ_ONLY', 'INVALID_ARGUMENT'] as const) {
      store.calls.splice(0)
      store.failure = failure
      await expect(backend.get('k')).rejects.toMatchObject({ code: failure })
      expect(store.calls).toHaveLength(1)
    }
  })

  it('an error that is no CacheError becomes BACKEND_FAILURE with its cause', async () => {
    const { store, backend } = rig({ retry: false })
    store.failure = 'no CacheError'
    await expect(backend.get('k')).rejects.toMatchObject({
      code: 'BACKEND_FAILURE',
      operation: 'get',
      key: 'k',
      cause: { message: 'the test broke the store' },
    })
  })
})

describe('the circuit breaker', () => {
  const options = { retry: false, breaker: { failures: 3, probeAfter: 1000 } } as const

  async function open(store: BreakableBackend, backend: ResilientBackend): Promise<void> {
    store.failure = 'UNAVAILABLE'
    for (let failed = 0; failed < 3; failed += 1) await backend.get('k').catch(() => {})
  }

  it('opens after failures in a row, refuses calls without asking the store, and tells once', async () => {
    const { store, backend } = rig(options)
    const events: unknown[] = []
    backend.listen((event) => events.push(event))
    await backend.get('k')
    store.failure = 'UNAVAILABLE'
    for (let failed = 0; failed < 2; failed += 1) await backend.get('k').catch(() => {})
    expect(backend.circuit).toBe('closed')
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(backend.circuit).toBe('open')
    store.calls.splice(0)
    await expect(backend.set(item('k', 1))).rejects.toMatchObject({
      code: 'CIRCUIT_OPEN',
      operation: 'set',
      key: 'k',
      cause: { code: 'UNAVAILABLE' },
    })
    expect(store.calls).toEqual([])
    expect(events).toMatchObject([{ type: 'error', error: { code: 'CIRCUIT_OPEN', cause: { code: 'UNAVAILABLE' } } }])
  })

  it('a success in between starts the count anew, and what the store refuses counts as one', async () => {
    const { store, backend } = rig(options)
    for (const failure of ['UNAVAILABLE', 'TIMEOUT', 'NOT_A_NUMBER', 'UNAVAILABLE', 'TIMEOUT', undefined] as const) {
      store.failure = failure
      await backend.get('k').catch(() => {})
    }
    expect(backend.circuit).toBe('closed')
  })

  it('calls that run into the time limit open it', async () => {
    const { store, backend } = rig({ ...options, timeout: 100 })
    store.hangs = true
    const calls = [1, 2, 3].map(() => outcome(backend.get('k')))
    await pass(100)
    expect(calls.map(({ code }) => code)).toEqual(['TIMEOUT', 'TIMEOUT', 'TIMEOUT'])
    expect(backend.circuit).toBe('open')
  })

  it('lets one call probe when its time has come; the others wait for its outcome', async () => {
    const { store, backend } = rig(options)
    await open(store, backend)
    vi.advanceTimersByTime(999)
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' })
    vi.advanceTimersByTime(1)
    store.failure = undefined
    store.calls.splice(0)
    const held = store.hold('get')
    const probe = backend.get('k')
    await held.reached
    expect(backend.circuit).toBe('halfOpen')
    const other = backend.get('l')
    await settled()
    expect(store.calls).toEqual(['get k'])
    held.open()
    await probe
    await other
    expect(backend.circuit).toBe('closed')
    expect(store.calls).toEqual(['get k', 'get l'])
  })

  it('a probe that fails keeps it open for as long again', async () => {
    const { store, backend } = rig(options)
    await open(store, backend)
    vi.advanceTimersByTime(1000)
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' })
    vi.advanceTimersByTime(1000)
    store.failure = undefined
    await backend.get('k')
    expect(backend.circuit).toBe('closed')
  })

  it.each(['NOT_STORABLE', 'INVALID_ARGUMENT', 'UNSUPPORTED', 'CLOSED', 'CIRCUIT_OPEN', 'QUEUE_FULL'] as const)(
    'a call that ends with %s before the store was asked is no successful probe: the circuit stays open, and nobody is told again',
    async (failure) => {
      const { store, backend } = rig(options)
      await open(store, backend)
      const events: unknown[] = []
      backend.listen((event) => events.push(event))
      vi.advanceTimersByTime(1000)
      store.failure = failure
      await expect(backend.set(item('k', 1))).rejects.toMatchObject({ code: failure })
      expect(backend.circuit).toBe('open')
      await expect(backend.get('k')).rejects.toMatchObject({ code: 'CIRCUIT_OPEN', cause: { code: 'UNAVAILABLE' } })
      expect(events).toEqual([])
      vi.advanceTimersByTime(1000)
      store.failure = undefined
      await backend.get('k')
      expect(backend.circuit).toBe('closed')
    },
  )

  it.each(['NOT_STORABLE', 'CIRCUIT_OPEN'] as const)(
    'a call that ends with %s before the store was asked neither opens it nor starts the count anew',
    async (failure) => {
      const { store, backend } = rig(options)
      for (const each of ['UNAVAILABLE', 'UNAVAILABLE', failure, failure, failure] as const) {
        store.failure = each
        await backend.get('k').catch(() => {})
      }
      expect(backend.circuit).toBe('closed')
      store.failure = 'UNAVAILABLE'
      await backend.get('k').catch(() => {})
      expect(backend.circuit).toBe('open')
    },
  )

  it('a call that the bulkhead refuses does not pass for a successful probe', async () => {
    const { store, backend } = rig({ ...options, bulkhead: { concurrent: 1 } })
    await open(store, backend)
    vi.advanceTimersByTime(1000)
    store.failure = undefined
    const held = store.hold('get')
    const probe = backend.get('k')
    await held.reached
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    expect(backend.circuit).toBe('halfOpen')
    held.open()
    await probe
  })

  it('open circuits are not tried again', async () => {
    const { store, backend } = rig({ breaker: { failures: 1 }, retry: { retries: 5, delay: 1 } })
    store.failure = 'UNAVAILABLE'
    const call = outcome(backend.get('k'))
    await pass(1000)
    expect(call.code).toBe('CIRCUIT_OPEN')
    expect(store.calls).toEqual(['get k'])
  })
})

describe('the bulkhead', () => {
  it('lets so many calls run, so many wait, and refuses the rest with QUEUE_FULL', async () => {
    const { store, backend } = rig({ bulkhead: { concurrent: 2, queue: 1 } })
    const held = [store.hold('get'), store.hold('get')]
    const calls = ['a', 'b', 'c', 'd'].map((key) => outcome(backend.get(key)))
    await settled()
    expect(store.calls).toEqual(['get a', 'get b'])
    expect(calls.map(({ code }) => code)).toEqual([undefined, undefined, undefined, 'QUEUE_FULL'])
    for (const each of held) each.open()
    await settled()
    expect(store.calls).toEqual(['get a', 'get b', 'get c'])
    expect(calls.map(({ code }) => code)).toEqual(['done', 'done', 'done', 'QUEUE_FULL'])
  })
})

describe('ResilientBackend', () => {
  it('has the capabilities that the backend has, and its name', () => {
    const four = {
      name: 'four',
      get: async () => undefined,
      set: async () => {},
      delete: async () => false,
      clear: async () => {},
    }
    const guarded = new ResilientBackend({ backend: four })
    expect(guarded.name).toBe('four')
    for (const member of [
      'getMany',
      'setMany',
      'deleteMany',
      'compareAndSet',
      'increment',
      'keys',
      'stats',
      'near',
      'inTransaction',
    ] as const) {
      expect(guarded[member], member).toBe(undefined)
    }
    expect('sync' in guarded).toBe(false)
  })

  it('shows what the backend holds near until it is closed', async () => {
    const found = item('k', 1)
    const { store } = rig()
    const near = Object.assign(store, { near: { get: () => found } })
    const backend = new ResilientBackend({ backend: near })
    expect(backend.near?.get('k')).toBe(found)
    await backend.close()
    expect(backend.near?.get('k')).toBe(undefined)
  })

  it('hands on the view of a transaction as it is', () => {
    const { store } = rig()
    const views: unknown[] = []
    const view = rig().store
    const inTransaction = (transaction: unknown) => {
      views.push(transaction)
      return view
    }
    const backend = new ResilientBackend({ backend: Object.assign(store, { inTransaction }) })
    expect([backend.inTransaction?.('transaction'), views]).toEqual([view, ['transaction']])
  })

  it('an iteration that times out is left, and one that is left early ends the iteration within', async () => {
    const { store, backend } = rig({ timeout: 100, retry: false })
    let left = 0
    Object.assign(store, {
      keys: async function* () {
        try {
          yield 'a'
          yield 'b'
        } finally {
          left += 1
        }
      },
    })
    const guarded = new ResilientBackend({ backend: store })
    for await (const key of guarded.keys?.() ?? []) {
      expect(key).toBe('a')
      break
    }
    await settled()
    expect(left).toBe(1)
    await backend.close()
  })

  it('R36: close closes the backend, unless closeParts is false', async () => {
    const { store, backend } = rig({ closeParts: false })
    await backend.close()
    await backend.close()
    expect(store.calls).toEqual([])
    await expect(backend.get('k')).rejects.toMatchObject({ code: 'CLOSED', operation: 'get', key: 'k' })
    const owning = new ResilientBackend({ backend: store })
    await owning.close()
    expect(store.calls).toEqual(['close'])
  })

  it('R33: close waits for calls under way', async () => {
    const { store, backend } = rig()
    const held = store.hold('set')
    const setting = outcome(backend.set(item('k', 1)))
    await held.reached
    const closing = outcome(backend.close())
    await settled()
    expect(closing.code).toBe(undefined)
    held.open()
    await settled()
    expect([setting.code, closing.code]).toEqual(['done', 'done'])
  })

  const backend = new MemoryBackend({ maxEntries: 1 })

  it.each([
    [{}, /backend must be a backend, with get, set, delete, clear/],
    [{ backend, timeout: 0 }, /timeout must be between 1 and 2147483647 ms/],
    [{ backend, timeout: Infinity }, /timeout must be between/],
    [{ backend, retry: { retries: 0 } }, /retry.retries must be a whole number of 1 or more/],
    [{ backend, retry: { delay: '2s' } }, /retry.maxDelay must be retry.delay or more/],
    [{ backend, retry: { attempts: 1 } }, /unknown option 'attempts'/],
    [{ backend, retry: true }, /options must be an object/],
    [{ backend, breaker: { failures: 0.5 } }, /breaker.failures must be a whole number/],
    [{ backend, bulkhead: {} }, /bulkhead.concurrent must be a whole number of 1 or more, but was undefined/],
    [{ backend, bulkhead: { concurrent: 1, queue: -1 } }, /bulkhead.queue must be a whole number of 0 or more/],
    [{ backend, closeParts: 1 }, /closeParts must be true or false/],
    [{ backend, clock: 1 }, /unknown option 'clock'; allowed are backend, timeout/],
  ])('refuses %o', (options, message) => {
    const make = (): ResilientBackend => new ResilientBackend(options as never)
    expect(make).toThrow(message)
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
