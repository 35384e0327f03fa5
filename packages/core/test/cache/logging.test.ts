import { describe, expect, it } from 'vitest'
import { createMovableClock } from '../../src/conformance/index.ts'
import { Cache, CacheError, type CacheLogger, SyncCache } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { FailingBackend } from './failing-backend.ts'
import { oneProcess } from './rig.ts'

type Line = [level: string, message: string, details: Readonly<Record<string, unknown>>]

/** A logger like those of pino: its methods need their object. */
class Log implements CacheLogger {
  readonly lines: Line[] = []

  debug(details: object, message: string): void {
    this.#add('debug', details, message)
  }

  info(details: object, message: string): void {
    this.#add('info', details, message)
  }

  warn(details: object, message: string): void {
    this.#add('warn', details, message)
  }

  error(details: object, message: string): void {
    this.#add('error', details, message)
  }

  #add(level: string, details: object, message: string): void {
    this.lines.push([level, message, details as Readonly<Record<string, unknown>>])
  }
}

const named = { cache: 'prices', namespace: [] }

describe('a logger', () => {
  it('gets a failure of the store once in ten seconds for each kind, with the number of those left out', async () => {
    const clock = createMovableClock()
    const logger = new Log()
    const backend = new FailingBackend()
    const cache = new Cache({ backend, clock, logger, name: 'prices' })
    await cache.get('a')
    await cache.get('b')
    await cache.getMany(['a', 'b'])
    const first: Line = [
      'error',
      "cache 'prices': get: connect ECONNREFUSED",
      { ...named, code: 'UNAVAILABLE', operation: 'get', backend: 'failing', err: expect.any(CacheError) },
    ]
    expect(logger.lines).toEqual([first])
    backend.code = 'TIMEOUT'
    await cache.get('a')
    expect(logger.lines.slice(1)).toMatchObject([['error', expect.any(String), { code: 'TIMEOUT' }]])
    backend.code = 'UNAVAILABLE'
    clock.advance(10_000)
    await cache.get('a')
    expect(logger.lines.slice(2)).toMatchObject([['error', expect.any(String), { code: 'UNAVAILABLE', leftOut: 2 }]])
    clock.advance(-60_000)
    await cache.get('a')
    expect(logger.lines).toHaveLength(4)
  })

  it('gets a damaged value as a warning', () => {
    const logger = new Log()
    const backend = new FailingBackend()
    const cache = new Cache({ backend, logger, name: 'prices' })
    backend.hub.emit({ type: 'error', error: new CacheError('DAMAGED', 'get: not an item', { backend: 'failing' }) })
    expect(logger.lines).toMatchObject([['warn', "cache 'prices': get: not an item", { code: 'DAMAGED' }]])
    expect(cache.name).toBe('prices')
  })

  it('gets each step of a recovery', () => {
    const logger = new Log()
    const backend = new FailingBackend()
    const cache = new Cache({ backend, logger, name: 'prices' })
    for (const state of ['started', 'overflowed', 'drained'] as const)
      backend.hub.emit({ type: 'recovery', state, pending: 3 })
    expect(logger.lines.map(([level, , details]) => [level, details])).toEqual([
      ['warn', { ...named, state: 'started', pending: 3 }],
      ['error', { ...named, state: 'overflowed', pending: 3 }],
      ['info', { ...named, state: 'drained', pending: 3 }],
    ])
    expect(cache.name).toBe('prices')
  })

  it('gets changes that write-behind could not write, with their keys', async () => {
    const logger = new Log()
    const failure = new Error('the database is down')
    const write = (): never => {
      throw failure
    }
    const { cache } = oneProcess({
      logger,
      name: 'prices',
      writer: { write, delete: write },
      writeMode: 'behind',
      writeBehind: { maxAttempts: 1 },
    })
    await cache.set('k', 1)
    await cache.close().catch(() => {})
    expect(logger.lines.filter(([level]) => level === 'error')).toEqual([
      [
        'error',
        "cache 'prices': could not write 1 changes to the application's database and gave up",
        { ...named, keys: ['k'], willRetry: false, err: failure },
      ],
    ])
  })

  it('gets failed loads as warnings, and loads, stale answers and invalidations at the level debug', async () => {
    const logger = new Log()
    const { cache, clock } = oneProcess({ logger, name: 'prices', ttl: 1000, staleFor: 5000, softTimeout: Infinity })
    await cache.getOrSet('k', () => 1)
    clock.advance(2000)
    const failure = new Error('no answer')
    await cache.getOrSet('k', () => Promise.reject(failure))
    await cache.deleteByTag('t')
    await cache.namespace('eu').expireByTag('t')
    await cache.clear()
    expect(
      logger.lines.map(([level, message, details]) => [level, message.replace("cache 'prices': ", ''), details]),
    ).toEqual([
      ['debug', 'loaded a value', { ...named, key: 'k', ms: 0, stored: true }],
      ['debug', 'loads a value in the background', { ...named, key: 'k', reason: 'stale' }],
      ['warn', 'a load failed', { ...named, key: 'k', err: failure }],
      ['debug', 'served a stale value', { ...named, key: 'k', reason: 'loadFailed' }],
      ['debug', 'invalidated a tag', { ...named, tag: 't' }],
      ['debug', 'made the values of a tag stale', { ...named, namespace: ['eu'], tag: 't' }],
      ['debug', 'removed all values', { ...named, prefix: '' }],
    ])
  })

  it('without debug and info gets failures', async () => {
    const lines: unknown[] = []
    const logger: CacheLogger = {
      warn: (_, message) => lines.push(message),
      error: (_, message) => lines.push(message),
    }
    const backend = new FailingBackend()
    const cache = new Cache({ backend, logger })
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
    backend.hub.emit({ type: 'recovery', state: 'drained', pending: 0 })
    expect(lines).toEqual(["cache 'cache': getOrSet: connect ECONNREFUSED".replace('getOrSet', 'get')])
  })

  it('that throws fails no call', async () => {
    const fail = (): never => {
      throw new Error('the log is full')
    }
    const cache = new Cache({
      backend: new FailingBackend(),
      logger: { debug: fail, info: fail, warn: fail, error: fail },
    })
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
  })

  it('of a SyncCache gets its failures', () => {
    const logger = new Log()
    const backend = new SyncMapBackend()
    const cache = new SyncCache({ backend, logger, name: 'prices' })
    backend.get = () => {
      throw new CacheError('BACKEND_FAILURE', 'get: broken', { operation: 'get', backend: 'broken' })
    }
    expect(cache.get('k')).toBe(undefined)
    expect(logger.lines).toMatchObject([['error', "cache 'prices': get: broken", { code: 'BACKEND_FAILURE' }]])
  })

  it('can be console', () => {
    expect(new Cache({ backend: new MapBackend(), logger: console }).name).toBe('cache')
  })
})
