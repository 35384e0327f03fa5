import { describe, expect, it } from 'vitest'
import type { BackendPart } from '../../src/backend-kit/index.ts'
import { createMovableClock } from '../../src/conformance/index.ts'
import { Cache, type CacheBackend } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { FailingBackend } from './failing-backend.ts'
import { codeOf, settled, twoProcesses } from './rig.ts'

/** A store that answers, with a report of the test's choice. */
class ReportingBackend extends FailingBackend {
  report: Partial<BackendPart> = {}

  constructor() {
    super()
    this.code = undefined
  }

  describe(): BackendPart {
    return { kind: 'store', name: this.name, status: 'ok', backend: this, ...this.report }
  }
}

function store(name: string): FailingBackend {
  const backend = new FailingBackend()
  backend.code = undefined
  return Object.assign(backend, { name })
}

/** A backend around others, with the report that a composite gives. */
function around(
  parts: (described: readonly BackendPart[]) => readonly BackendPart[],
  ...stores: CacheBackend[]
): CacheBackend {
  const inner = stores.map((backend): BackendPart => ({ kind: 'store', name: backend.name, status: 'ok', backend }))
  return Object.assign(store('outer'), {
    describe: (): BackendPart => ({ kind: 'store', name: 'outer', status: 'ok', parts: parts(inner) }),
  })
}

describe('health of a cache on one store', () => {
  it('is ok while the store answers', async () => {
    const cache = new Cache({ backend: new MapBackend() })
    expect(await cache.health()).toEqual({
      status: 'ok',
      reasons: [],
      parts: [{ kind: 'store', name: 'map', status: 'ok' }],
    })
  })

  it('is down with the code and the reason of a store that fails, and ok again afterwards', async () => {
    const backend = new FailingBackend()
    const cache = new Cache({ backend })
    const message = 'UNAVAILABLE: get: connect ECONNREFUSED'
    expect(await cache.health()).toEqual({
      status: 'down',
      reasons: [{ kind: 'store', part: 'failing', status: 'down', message }],
      parts: [{ kind: 'store', name: 'failing', status: 'down', message }],
    })
    backend.code = undefined
    expect((await cache.health()).status).toBe('ok')
  })

  it('is down at the end of the timeout while the store hangs, and asks it once however often it is called', async () => {
    const clock = createMovableClock()
    const backend = store('hanging')
    const cache = new Cache({ backend, clock })
    const held = backend.holdBefore('get')
    const first = cache.health({ timeout: '2s' })
    const second = cache.health()
    await held.reached
    clock.advance(1000)
    expect((await second).reasons[0]?.message).toBe('no answer within 1000 ms')
    clock.advance(1000)
    expect((await first).reasons[0]?.message).toBe('no answer within 2000 ms')
    const third = cache.health()
    await settled()
    clock.advance(1000)
    expect((await third).status).toBe('down')
    expect(backend.calls.filter((call) => call.startsWith('get'))).toHaveLength(1)
    held.open()
    await settled()
    expect((await cache.health()).status).toBe('ok')
  })

  it('is down after close, without a call of the store', async () => {
    const backend = store('closing')
    const cache = new Cache({ backend, name: 'users' })
    await cache.close()
    expect(await cache.health()).toMatchObject({
      status: 'down',
      reasons: [{ kind: 'cache', part: 'users', status: 'down', message: 'the cache was closed' }],
    })
    expect(backend.calls).toEqual(['close'])
  })

  it('counts nothing and emits nothing', async () => {
    const cache = new Cache({ backend: new FailingBackend() })
    const events: string[] = []
    cache.on('error', () => events.push('error'))
    cache.on('miss', () => events.push('miss'))
    await cache.health()
    expect(events).toEqual([])
    expect(await cache.stats()).toMatchObject({ hits: 0, misses: 0, errors: 0 })
  })

  it('is that of the whole cache in a namespace and in a transaction', async () => {
    const backend = store('store')
    const inside = new FailingBackend()
    const cache = new Cache({ backend: Object.assign(backend, { inTransaction: () => inside }) })
    expect((await cache.namespace('users').health()).status).toBe('ok')
    expect((await cache.inTransaction({}).health()).status).toBe('ok')
  })

  it('rejects for wrong options', async () => {
    const cache = new Cache({ backend: new MapBackend() })
    expect(await codeOf(cache.health({ timeout: 0 }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(cache.health({ timeout: Infinity }))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(cache.health({ limit: 1 } as never))).toBe('INVALID_ARGUMENT')
  })

  it('shows what the backend reports of itself, and no more', async () => {
    const backend = new ReportingBackend()
    const cache = new Cache({ backend })
    backend.report = { status: 'degraded', message: 'it is slow', pending: 3, limit: 10 }
    const part = { kind: 'store', name: 'failing', status: 'degraded', message: 'it is slow', pending: 3, limit: 10 }
    expect(await cache.health()).toEqual({
      status: 'degraded',
      reasons: [{ kind: 'store', part: 'failing', status: 'degraded', message: 'it is slow' }],
      parts: [part],
    })
  })

  it('is degraded where the report of the backend throws', async () => {
    const backend = Object.assign(store('odd'), {
      describe: (): BackendPart => {
        throw new Error('no report')
      },
    })
    const { status, reasons } = await new Cache({ backend }).health()
    expect([status, reasons[0]?.message]).toEqual(['degraded', 'describe() threw: no report'])
  })
})

describe('health of a cache on a composite backend', () => {
  it('is degraded when one of several stores is down, and down when all are', async () => {
    const [one, other] = [store('one'), store('other')]
    const cache = new Cache({ backend: around((inner) => inner, one, other) })
    one.code = 'TIMEOUT'
    const message = 'TIMEOUT: get: connect ECONNREFUSED'
    expect(await cache.health()).toMatchObject({
      status: 'degraded',
      reasons: [{ kind: 'store', part: 'outer / one', status: 'down', message }],
      parts: [
        {
          name: 'outer',
          status: 'degraded',
          parts: [
            { name: 'one', status: 'down' },
            { name: 'other', status: 'ok' },
          ],
        },
      ],
    })
    other.code = 'TIMEOUT'
    expect((await cache.health()).status).toBe('down')
  })

  it('is down when an essential store is', async () => {
    const [near, far] = [store('near'), store('far')]
    const mark = (inner: readonly BackendPart[]): readonly BackendPart[] =>
      inner.map((part) => ({ ...part, essential: part.name === 'far' }))
    const cache = new Cache({ backend: around(mark, near, far) })
    near.code = 'UNAVAILABLE'
    expect((await cache.health()).status).toBe('degraded')
    near.code = undefined
    far.code = 'UNAVAILABLE'
    expect((await cache.health()).status).toBe('down')
  })
})

describe('health of a cache with write-behind', () => {
  it('is degraded while the database refuses changes, with the number of those that wait', async () => {
    let fails = true
    const writer = {
      write: async (): Promise<void> => {
        if (fails) throw new Error('the database is away')
      },
      delete: async (): Promise<void> => {},
    }
    const writeBehind = { delay: 10, retryDelay: 1000, maxQueued: 5 }
    const { cache, clock } = twoProcesses({ writer, writeMode: 'behind', writeBehind })
    cache.on('writeFailed', () => {})
    expect((await cache.health()).parts[1]).toEqual({
      kind: 'write-behind',
      name: 'write-behind',
      status: 'ok',
      pending: 0,
      limit: 5,
    })
    await cache.set('a', 1)
    await cache.set('b', 2)
    clock.advance(10)
    await settled()
    expect(await cache.health()).toMatchObject({
      status: 'degraded',
      reasons: [{ kind: 'write-behind', part: 'write-behind', status: 'degraded' }],
      parts: [{ kind: 'store' }, { pending: 2, limit: 5 }],
    })
    fails = false
    clock.advance(1000)
    await settled()
    clock.advance(1000)
    await settled()
    expect((await cache.health()).status).toBe('ok')
  })
})
