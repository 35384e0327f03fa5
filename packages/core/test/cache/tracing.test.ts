import { channel, tracingChannel } from 'node:diagnostics_channel'
import { afterEach, describe, expect, it } from 'vitest'
import { type CacheTrace, SyncCache } from '../../src/index.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { bothStores, oneProcess, settled } from './rig.ts'

type Moment = 'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error'
type Trace = CacheTrace & { readonly result?: unknown; readonly error?: unknown }

const stops: (() => void)[] = []

/** Collects the payloads of some events of a channel until the test ends. */
function follow(name: string, moments: readonly Moment[]): [Moment, Trace][] {
  const traces: [Moment, Trace][] = []
  for (const moment of moments) {
    const listener = (trace: unknown): void => {
      traces.push([moment, trace as Trace])
    }
    const one = channel(`tracing:${name}:${moment}`)
    one.subscribe(listener)
    stops.push(() => one.unsubscribe(listener))
  }
  return traces
}

afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

it('a hit that ran often enough to be compiled is traced from the first subscription on', async () => {
  const { cache } = oneProcess()
  await cache.set('k', 1)
  for (let hit = 0; hit < 20_000; hit += 1) await cache.get('k')
  for (const moment of ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const) {
    const gets = follow('cache:get', [moment])
    await cache.get('k')
    expect(gets).toHaveLength(moment === 'error' ? 0 : 1)
    for (const stop of stops.splice(0)) stop()
    await cache.get('k')
    expect(gets).toHaveLength(moment === 'error' ? 0 : 1)
  }
})

for (const [name, open] of bothStores) {
  describe(`tracing channels, on ${name}`, () => {
    it('reads, loads and writes are traced from start to end', async () => {
      const { cache } = open()
      const gets = follow('cache:get', ['start', 'asyncEnd'])
      const loads = follow('cache:load', ['start', 'asyncEnd'])
      const writes = follow('cache:write', ['start', 'asyncEnd'])
      await cache.set('k', 1)
      await cache.get('k')
      await cache.getOrSet('k', () => 2)
      await cache.getOrSet('j', () => 3)
      await cache.getMany(['k'])
      await cache.clear()
      const brief = (traces: [Moment, Trace][]): unknown[] =>
        traces.map(([moment, { key, operation }]) => [moment, operation, key])
      expect(brief(writes)).toEqual([
        ['start', 'set', 'k'],
        ['asyncEnd', 'set', 'k'],
        ['start', 'clear', undefined],
        ['asyncEnd', 'clear', undefined],
      ])
      expect(brief(loads)).toEqual([
        ['start', 'load', 'j'],
        ['asyncEnd', 'load', 'j'],
      ])
      expect(
        gets.filter(([moment]) => moment === 'asyncEnd').map(([, { operation, result }]) => [operation, result]),
      ).toEqual([
        ['get', 1],
        ['getOrSet', 1],
        ['getOrSet', 3],
        ['getMany', [1]],
      ])
    })

    it('a message names cache, namespace and operation, and at its end the hits and misses of its own call', async () => {
      const { cache, clock } = open({ name: 'shop', staleFor: '1h' })
      const users = cache.namespace('users')
      await users.setMany({ a: 1, b: 2 })
      const gets = follow('cache:get', ['asyncEnd'])
      const loads = follow('cache:load', ['start'])
      const writes = follow('cache:write', ['start'])
      await Promise.all([
        users.get('a'),
        users.get('x'),
        users.getOrSet('a', () => 3),
        users.getOrSet('y', () => 4),
        users.getMany(['a', 'x', 'b']),
        users.getOrSetMany(['a', 'z'], () => ({ z: 5 })),
      ])
      clock.advance(60_000)
      await users.get('a', { stale: true })
      await users.getOrSet('b', () => 6)
      await settled()
      await cache.delete('k')
      const ends = gets.map(([, { operation, key, hits, stale, misses }]) =>
        JSON.stringify([operation, key ?? '', hits ?? 0, stale ?? 0, misses ?? 0]),
      )
      expect(ends.sort()).toEqual(
        [
          ['get', 'a', 1, 0, 0],
          ['get', 'a', 1, 1, 0],
          ['get', 'x', 0, 0, 1],
          ['getMany', '', 2, 0, 1],
          ['getOrSet', 'a', 1, 0, 0],
          ['getOrSet', 'b', 1, 1, 0],
          ['getOrSet', 'y', 0, 0, 1],
          ['getOrSetMany', '', 1, 0, 1],
        ]
          .map((end) => JSON.stringify(end))
          .sort(),
      )
      for (const [, { cache: named, namespace }] of [...gets, ...loads])
        expect([named, namespace]).toEqual(['shop', ['users']])
      expect(loads.map(([, { key }]) => key).sort()).toEqual(['b', 'y', 'z'])
      expect(writes.map(([, { cache: named, namespace }]) => [named, namespace])).toEqual([['shop', []]])
      expect(await cache.stats()).toMatchObject({ hits: 7, misses: 4 })
    })

    it('failures are traced', async () => {
      const { cache } = open()
      const errors = follow('cache:load', ['error'])
      const failure = new Error('down')
      await cache.getOrSet('k', () => Promise.reject(failure)).catch(() => {})
      expect(errors.map(([, { error }]) => error)).toEqual([failure])
    })

    it('a subscriber to one event of a channel only is notified, also of hits', async () => {
      const { cache } = open()
      await cache.set('k', 1)
      await cache.get('k')
      const ends = follow('cache:get', ['asyncEnd'])
      await cache.get('k')
      await cache.getOrSet('k', () => 2)
      expect(ends.map(([, { result }]) => result)).toEqual([1, 1])
    })

    it('the channels have the shape of tracingChannel', async () => {
      const { cache } = open()
      let started = 0
      const listeners = {
        start: () => {
          started += 1
        },
        end: () => {},
        asyncStart: () => {},
        asyncEnd: () => {},
        error: () => {},
      }
      const tracing = tracingChannel('cache:get')
      tracing.subscribe(listeners)
      await cache.get('k')
      tracing.unsubscribe(listeners)
      await cache.get('k')
      expect(started).toBe(1)
    })
  })
}

describe('tracing channels of a SyncCache', () => {
  it('a message has the namespace, and at its end the hits and misses', () => {
    const cache = new SyncCache({ backend: new SyncMapBackend() }).namespace('users')
    cache.set('k', 1)
    const gets = follow('cache:get', ['end'])
    cache.get('k')
    cache.get('x')
    cache.getOrSet('y', () => 2)
    cache.getMany(['k', 'x'])
    cache.getOrSetMany(['k', 'z'], () => ({ z: 5 }))
    expect(gets.map(([, { namespace, hits = 0, misses = 0 }]) => [namespace, hits, misses])).toEqual([
      [['users'], 1, 0],
      [['users'], 0, 1],
      [['users'], 0, 1],
      [['users'], 1, 1],
      [['users'], 1, 1],
    ])
  })

  it('reads, loads, writes and failures are traced from start to end', () => {
    const cache = new SyncCache({ backend: new SyncMapBackend() })
    const moments = ['start', 'end', 'error'] as const
    const traces = ['get', 'load', 'write'].map((name) => follow(`cache:${name}`, moments))
    const failure = new Error('down')
    cache.set('k', 1)
    cache.get('k')
    cache.getOrSet('k', () => 2)
    cache.getOrSet('j', () => 3)
    cache.getOrSetMany(['k', 'l'], () => ({ l: 4 }))
    expect(() =>
      cache.getOrSet('m', () => {
        throw failure
      }),
    ).toThrow(failure)
    cache.increment('n')
    cache.clear()
    const brief = traces.map((all) =>
      all.flatMap(([moment, { operation, key, result, error }]) =>
        moment === 'start' ? [] : [[moment, operation, key, moment === 'error' ? error : result]],
      ),
    )
    expect(brief).toEqual([
      [
        ['end', 'get', 'k', 1],
        ['end', 'getOrSet', 'k', 1],
        ['end', 'getOrSet', 'j', 3],
        ['end', 'getOrSetMany', undefined, [1, 4]],
        ['error', 'getOrSet', 'm', failure],
        ['end', 'getOrSet', 'm', undefined],
      ],
      [
        ['end', 'load', 'j', 3],
        ['end', 'load', undefined, new Map([['l', 4]])],
        ['error', 'load', 'm', failure],
        ['end', 'load', 'm', undefined],
      ],
      [
        ['end', 'set', 'k', undefined],
        ['end', 'increment', 'n', 1],
        ['end', 'clear', undefined, undefined],
      ],
    ])
  })
})
