import { describe, expect, it } from 'vitest'
import { checkHistory } from '../../src/history/checks/check-history.ts'
import type { Promises } from '../../src/history/checks/rules.ts'
import { limits } from '../../src/history/record/areas.ts'
import type { Call } from '../../src/history/record/call.ts'
import { call, failed, unfinished } from './calls.ts'

function broken(calls: readonly Call[], promises: Promises = { evicts: false, staleness: 0 }): string[] {
  return checkHistory({ calls, stalls: [] }, promises).findings.map(({ promise }) => promise)
}

describe('a load', () => {
  const key = 'a0'
  const load = (process: string, at: readonly [number, number], value: string, result: string, from?: number): Call =>
    call(
      process,
      at,
      'load 0',
      { do: 'getOrSet', key, value },
      result,
      from === undefined ? [] : [{ at: from, what: 'loading', value: null }],
    )
  const old = load('p0', [0, 20], 'v1', 'v1', 1)

  it('may give its value to a caller that came before the change', () => {
    const removed = call('p1', [5, 6], 'load 0', { do: 'delete', key }, false)
    expect(broken([old, removed, load('p0', [4, 20], 'v2', 'v1')])).toEqual([])
  })

  it.each([
    { do: 'delete', key },
    { do: 'set', key, value: 'v3' },
    { do: 'clear' },
    { do: 'deleteByPrefix', prefix: 'a' },
    { do: 'deleteByTag', tag: 'red' },
  ] as const)('never gives its value to a caller that came after $do', (change) => {
    const changed = call('p1', [5, 6], 'load 0', change)
    expect(broken([old, changed, load('p0', [8, 20], 'v2', 'v1')])).toEqual(['load'])
    expect(broken([old, changed, call('p1', [30, 31], 'load 0', { do: 'get', key }, 'v1')])).toEqual(['load'])
    expect(broken([old, changed, load('p0', [8, 30], 'v2', 'v2', 25)])).toEqual([])
  })

  it('stays valid when another tag is invalidated, or when the change has no answer', () => {
    const read = load('p0', [8, 20], 'v2', 'v1')
    expect(broken([old, call('p1', [5, 6], 'load 0', { do: 'deleteByTag', tag: 'blue' }), read])).toEqual([])
    expect(broken([old, failed(call('p1', [5, 6], 'load 0', { do: 'delete', key })), read])).toEqual([])
  })

  it('gives a value that some call made', () => {
    expect(broken([load('p0', [0, 5], 'v1', 'v9', 1)])).toEqual(['load'])
  })

  it('may be served from a near copy of another process, within the bound', () => {
    const near = { evicts: false, staleness: 100 }
    const changed = call('p1', [30, 31], 'load 0', { do: 'delete', key }, true)
    expect(broken([old, changed, load('p0', [60, 61], 'v2', 'v1')], near)).toEqual([])
    expect(broken([old, changed, load('p1', [60, 61], 'v2', 'v1')], near)).toEqual(['load'])
    expect(broken([old, changed, load('p0', [160, 161], 'v2', 'v1')], near)).toEqual(['load'])
  })
})

describe('a lock', () => {
  const hold = (
    process: string,
    at: readonly [number, number],
    [from, to]: readonly [number, number],
    token: number,
  ): Call =>
    call(process, at, 'lock 0', { do: 'withLock', key: 'lock0' }, null, [
      { at: from, what: 'holding', value: token },
      { at: to, what: 'leaving', value: token },
    ])

  it('has one holder at a time', () => {
    expect(broken([hold('p0', [0, 10], [1, 9], 1), hold('p1', [0, 20], [11, 19], 2)])).toEqual([])
    expect(broken([hold('p0', [0, 10], [1, 9], 1), hold('p1', [0, 20], [8, 19], 2)])).toEqual(['lock'])
  })

  it('may have a second holder when the first one rejects with LOCK_LOST or is killed', () => {
    const first = hold('p0', [0, 10], [1, 9], 1)
    expect(broken([failed(first, 'LOCK_LOST'), hold('p1', [0, 20], [8, 19], 2)])).toEqual([])
    expect(broken([unfinished(first), hold('p1', [0, 20], [8, 19], 2)])).toEqual([])
  })

  it('gives a later holder a larger token, also after a lost lock', () => {
    const first = hold('p0', [0, 10], [1, 9], 7)
    expect(broken([first, hold('p1', [11, 20], [12, 19], 8)])).toEqual([])
    expect(broken([first, hold('p1', [11, 20], [12, 19], 7)])).toEqual(['fencing token'])
    expect(broken([failed(first, 'LOCK_LOST'), hold('p1', [11, 20], [12, 19], 6)])).toEqual(['fencing token'])
  })
})

describe('a rate limit', () => {
  const { limit, window } = limits.log
  const ask = (at: number, allowed: boolean, key: 'log' | 'counter' = 'log'): Call =>
    call('p0', [at, at + 1], 'limit 0', { do: 'rateLimit', key }, allowed)
  const many = (count: number, from: number, key: 'log' | 'counter' = 'log'): Call[] =>
    Array.from({ length: count }, (_, index) => ask(from + 2 * index, true, key))

  it('allows no more calls than the limit in any window', () => {
    expect(broken(many(limit, 0))).toEqual([])
    expect(broken(many(limit + 1, 0))).toEqual(['rate limit'])
    // The end of one fixed window and the beginning of the next are one window, too.
    expect(broken([...many(4, window - 10), ...many(4, window + 5)])).toEqual(['rate limit'])
    expect(broken([...many(limit, 0), ...many(limit, window + 20)])).toEqual([])
  })

  it('with the counter allows less than twice the limit', () => {
    const twice = 2 * limits.counter.limit
    expect(broken(many(twice - 1, 0, 'counter'))).toEqual([])
    expect(broken(many(twice, 0, 'counter'))).toEqual(['rate limit'])
  })

  it('refuses a call only if its window may be full', () => {
    expect(broken([...many(limit, 0), ask(30, false)])).toEqual([])
    expect(broken([...many(limit - 1, 0), ask(30, false)])).toEqual(['rate limit'])
    expect(broken([...many(limit - 1, 0), failed(ask(20, true)), ask(30, false)])).toEqual([])
  })
})

describe('an error', () => {
  const get = call('p0', [0, 1], 'plain 0', { do: 'get', key: 'a0' })

  it('may have a code that a fault explains', () => {
    expect(broken([failed(get, 'UNAVAILABLE')])).toEqual([])
  })

  it('is a CacheError, and never one of a damaged or refused value', () => {
    expect(broken([failed(get, 'TypeError: x is not a function')])).toEqual(['error'])
    expect(broken([failed(get, 'NOT_STORABLE')])).toEqual(['error'])
  })
})
