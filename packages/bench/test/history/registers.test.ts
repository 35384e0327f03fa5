import { describe, expect, it } from 'vitest'
import { checkHistory } from '../../src/history/checks/check-history.ts'
import type { Promises } from '../../src/history/checks/rules.ts'
import type { Call, Request } from '../../src/history/record/call.ts'
import { call, failed, unfinished } from './calls.ts'

const strict: Promises = { evicts: false, staleness: 0 }
const area = 'plain 0'
const key = 'a0'

function get(process: string, at: readonly [number, number], value: string | null): Call {
  return call(process, at, area, { do: 'get', key }, value)
}

function set(process: string, at: readonly [number, number], value: string): Call {
  return call(process, at, area, { do: 'set', key, value })
}

function other(process: string, at: readonly [number, number], request: Request, result: unknown): Call {
  return call(process, at, area, request, result)
}

/** The promises that the history breaks. */
function broken(calls: readonly Call[], promises: Promises = strict): string[] {
  const { findings, undecided } = checkHistory({ calls, stalls: [] }, promises)
  expect(undecided).toBe(0)
  return findings.map(({ promise }) => promise)
}

describe('a register', () => {
  it('may show either value to a read that overlaps a set', () => {
    const first = set('p0', [0, 1], 'v1')
    expect(broken([first, set('p0', [2, 6], 'v2'), get('p1', [3, 4], 'v1')])).toEqual([])
    expect(broken([first, set('p0', [2, 6], 'v2'), get('p1', [3, 4], 'v2')])).toEqual([])
  })

  it('never shows a replaced value to a read that began after the set', () => {
    expect(broken([set('p0', [0, 1], 'v1'), set('p0', [2, 3], 'v2'), get('p1', [4, 5], 'v1')])).toEqual(['register'])
  })

  it('never shows an old value to a read after one that showed the new value', () => {
    const calls = [set('p0', [0, 1], 'v1'), set('p0', [2, 9], 'v2'), get('p1', [3, 4], 'v2'), get('p2', [5, 6], 'v1')]
    expect(broken(calls)).toEqual(['register'])
  })

  it('never loses an acknowledged set', () => {
    expect(broken([set('p0', [0, 1], 'v1'), get('p1', [2, 3], null)])).toEqual(['register'])
  })

  it('may lose a set where the store evicts, and never finds it again', () => {
    const evicting = { evicts: true, staleness: 0 }
    const lost = [set('p0', [0, 1], 'v1'), get('p1', [2, 3], null)]
    expect(broken(lost, evicting)).toEqual([])
    expect(broken([...lost, get('p1', [4, 5], 'v1')], evicting)).toEqual(['register'])
  })

  it('never shows a deleted value', () => {
    const calls = [set('p0', [0, 1], 'v1'), other('p1', [2, 3], { do: 'delete', key }, true), get('p0', [4, 5], 'v1')]
    expect(broken(calls)).toEqual(['register'])
  })

  it('gives the value of a take to one caller only', () => {
    const take = (at: readonly [number, number]): Call => other('p1', at, { do: 'take', key }, 'v1')
    expect(broken([set('p0', [0, 1], 'v1'), take([2, 5]), take([3, 6])])).toEqual(['register'])
    expect(broken([set('p0', [0, 1], 'v1'), take([2, 5])])).toEqual([])
  })

  it('lets one of two deletes report a value', () => {
    const remove = (had: boolean): Call => other('p1', [2, 5], { do: 'delete', key }, had)
    expect(broken([set('p0', [0, 1], 'v1'), remove(true), remove(false)])).toEqual([])
    expect(broken([set('p0', [0, 1], 'v1'), remove(true), remove(true)])).toEqual(['register'])
    expect(broken([set('p0', [0, 1], 'v1'), remove(false)])).toEqual(['register'])
  })

  it('never shows a value that no call wrote', () => {
    expect(broken([get('p0', [0, 1], 'damaged: {}')])).toEqual(['register'])
  })

  it('is empty for every reader after clear, deleteByPrefix and deleteMany', () => {
    const removals: readonly Request[] = [
      { do: 'clear' },
      { do: 'deleteByPrefix', prefix: 'a' },
      { do: 'deleteMany', keys: [key] },
    ]
    for (const removal of removals) {
      const calls = [set('p0', [0, 1], 'v1'), other('p1', [2, 3], removal, null)]
      expect(broken([...calls, get('p0', [4, 5], null)])).toEqual([])
      expect(broken([...calls, get('p0', [4, 5], 'v1')])).toEqual(['register'])
    }
  })

  it('has the values of a setMany, each of its own key', () => {
    const both = other('p0', [0, 1], { do: 'setMany', keys: [key, 'a1'], values: ['v1', 'v2'] }, null)
    const read = (values: readonly string[]): Call => other('p1', [2, 3], { do: 'getMany', keys: [key, 'a1'] }, values)
    expect(broken([both, read(['v1', 'v2'])])).toEqual([])
    expect(broken([both, read(['v2', 'v1'])])).toEqual(['register', 'register'])
  })
})

describe('a compare-and-set', () => {
  const compareAndSet = (at: readonly [number, number], expected: string | null, value: string, held: boolean): Call =>
    other('p1', at, { do: 'compareAndSet', key, expected, value }, held)

  it('succeeds for one of two callers with the same expected version', () => {
    const first = set('p0', [0, 1], 'v1')
    const wins = compareAndSet([2, 5], 'v1', 'v2', true)
    expect(broken([first, wins, compareAndSet([3, 6], 'v1', 'v3', false)])).toEqual([])
    expect(broken([first, wins, compareAndSet([3, 6], 'v1', 'v3', true)])).toEqual(['register'])
  })

  it('never fails while its version is stored', () => {
    expect(broken([set('p0', [0, 1], 'v1'), compareAndSet([2, 3], 'v1', 'v2', false)])).toEqual(['register'])
  })

  it('as add and replace, depends on whether there is a value', () => {
    const add = (held: boolean): Call => other('p1', [2, 3], { do: 'add', key, value: 'v2' }, held)
    const replace = (held: boolean): Call => other('p1', [2, 3], { do: 'replace', key, value: 'v2' }, held)
    expect(broken([add(true)])).toEqual([])
    expect(broken([add(false)])).toEqual(['register'])
    expect(broken([set('p0', [0, 1], 'v1'), add(true)])).toEqual(['register'])
    expect(broken([replace(true)])).toEqual(['register'])
    expect(broken([set('p0', [0, 1], 'v1'), replace(false)])).toEqual(['register'])
  })

  it('of an update replaces exactly the value that its function saw', () => {
    const update = (seen: string | null): Call =>
      call('p1', [4, 8], area, { do: 'update', key, value: 'v3' }, 'v3', [{ at: 5, what: 'seen', value: seen }])
    const calls = [set('p0', [0, 1], 'v1'), set('p0', [2, 3], 'v2')]
    expect(broken([...calls, update('v2'), get('p0', [9, 10], 'v3')])).toEqual([])
    expect(broken([...calls, update('v1'), get('p0', [9, 10], 'v3')])).toEqual(['register'])
  })
})

describe('a call without an answer', () => {
  const late = failed(set('p0', [0, 1], 'v1'))

  it('may have had no effect', () => {
    expect(broken([late, get('p1', [2, 3], null), get('p1', [4, 5], null)])).toEqual([])
  })

  it('may take effect once at any later moment', () => {
    const calls = [late, get('p1', [2, 3], null), set('p1', [4, 5], 'v2'), get('p1', [6, 7], 'v1')]
    expect(broken(calls)).toEqual([])
    expect(broken([...calls, set('p1', [8, 9], 'v3'), get('p1', [10, 11], 'v1')])).toEqual(['register'])
  })

  it('of a killed process may take effect or not', () => {
    const removed = unfinished(other('p0', [2, 3], { do: 'delete', key }, null))
    const calls = [set('p0', [0, 1], 'v1'), removed]
    expect(broken([...calls, get('p1', [4, 5], 'v1'), get('p1', [6, 7], null)])).toEqual([])
    const found = [get('p1', [4, 5], null), get('p1', [6, 7], 'v1')]
    expect(broken([...calls, ...found])).toEqual(['register'])
  })

  it('may not take effect before it began', () => {
    expect(broken([get('p1', [0, 1], 'v1'), failed(set('p0', [2, 3], 'v1'))])).toEqual(['register'])
  })
})

describe('a register with a lifetime', () => {
  const short = (at: readonly [number, number]): Call =>
    call('p0', at, 'short 0', { do: 'set', key, value: 'v1', ttl: 500 })
  const read = (at: readonly [number, number], value: string | null): Call =>
    call('p1', at, 'short 0', { do: 'get', key }, value)

  it('keeps its value until the lifetime ends, and not longer', () => {
    expect(broken([short([0, 10]), read([300, 301], 'v1'), read([700, 701], null)])).toEqual([])
    expect(broken([short([0, 10]), read([300, 301], null)])).toEqual(['register'])
    expect(broken([short([0, 10]), read([700, 701], 'v1')])).toEqual(['register'])
  })

  it('may begin the lifetime of a set without an answer later', () => {
    const open = failed(short([0, 10]))
    expect(broken([open, read([700, 701], 'v1'), read([2000, 2001], null)])).toEqual([])
  })
})

describe('a register behind near copies', () => {
  const near: Promises = { evicts: false, staleness: 100 }
  const changes = [set('p0', [0, 1], 'v1'), set('p0', [10, 11], 'v2')]

  it('may show an old value to another process, within the bound', () => {
    expect(broken([...changes, get('p1', [50, 51], 'v1')], near)).toEqual([])
    expect(broken([...changes, get('p1', [200, 201], 'v1')], near)).toEqual(['register'])
  })

  it('shows a process its own changes', () => {
    expect(broken([...changes, get('p0', [50, 51], 'v1')], near)).toEqual(['register'])
    const removed = other('p1', [20, 21], { do: 'delete', key }, true)
    expect(broken([...changes, removed, get('p1', [50, 51], 'v2')], near)).toEqual(['register'])
  })

  it('may be older by as long as the process did not run', () => {
    const calls = [...changes, get('p1', [200, 201], 'v1')]
    const stalls = [{ process: 'p1', end: 199e6, length: 150e6 }]
    expect(checkHistory({ calls, stalls }, near).findings).toEqual([])
  })

  it('decides a successful compare-and-set by the authority', () => {
    const held = other('p1', [50, 51], { do: 'compareAndSet', key, expected: 'v1', value: 'v3' }, true)
    expect(broken([...changes, held], near)).toEqual(['register'])
  })
})

describe('a tagged register', () => {
  const tagged = call('p0', [0, 1], 'tagged 0', { do: 'set', key, value: 'v1' })
  const invalidated = (at: readonly [number, number], tag: string): Call =>
    call('p1', at, 'tagged 0', { do: 'deleteByTag', tag })
  const read = (value: string | null): Call => call('p2', [4, 5], 'tagged 0', { do: 'get', key }, value)

  it('never shows a value from before a completed deleteByTag', () => {
    expect(broken([tagged, invalidated([2, 3], 'red'), read(null)])).toEqual([])
    expect(broken([tagged, invalidated([2, 3], 'red'), read('v1')])).toEqual(['register'])
  })

  it('may miss a value that was written during the invalidation, but no later one', () => {
    const invalidation = invalidated([0, 3], 'red')
    expect(broken([tagged, invalidation, read(null)])).toEqual([])
    const later = call('p0', [3.5, 3.6], 'tagged 0', { do: 'set', key, value: 'v2' })
    expect(broken([tagged, invalidation, later, read(null)])).toEqual(['register'])
  })

  it('may miss a value that another process wrote with a remembered tag, within the bound', () => {
    const near = { evicts: false, staleness: 100 }
    const later = (at: readonly [number, number]): Call => call('p0', at, 'tagged 0', { do: 'set', key, value: 'v2' })
    const missing = (at: readonly [number, number]): Call => call('p2', at, 'tagged 0', { do: 'get', key }, null)
    const invalidation = invalidated([2, 3], 'red')
    expect(broken([invalidation, later([50, 51]), missing([300, 301])], near)).toEqual([])
    expect(broken([invalidation, later([150, 151]), missing([300, 301])], near)).toEqual(['register'])
    const own = call('p1', [50, 51], 'tagged 0', { do: 'set', key, value: 'v2' })
    expect(broken([invalidation, own, missing([300, 301])], near)).toEqual(['register'])
  })

  it('may decide a condition by a remembered tag, within the bound, and never by a replaced value', () => {
    const near = { evicts: false, staleness: 100 }
    const swap = (process: string, at: readonly [number, number]): Call =>
      call(process, at, 'tagged 0', { do: 'compareAndSet', key, expected: 'v1', value: 'v2' }, true)
    const invalidation = invalidated([2, 3], 'red')
    expect(broken([tagged, invalidation, swap('p0', [50, 51])], near)).toEqual([])
    expect(broken([tagged, invalidation, swap('p0', [50, 51])])).toEqual(['register'])
    expect(broken([tagged, invalidation, swap('p0', [150, 151])], near)).toEqual(['register'])
    expect(broken([tagged, invalidation, swap('p1', [50, 51])], near)).toEqual(['register'])
    const added = call('p1', [20, 21], 'tagged 0', { do: 'add', key, value: 'v3' }, true)
    expect(broken([tagged, invalidation, added, swap('p0', [50, 51])], near)).toEqual(['register'])
    const removed = call('p1', [20, 21], 'tagged 0', { do: 'delete', key }, true)
    expect(broken([tagged, invalidation, removed, swap('p0', [50, 51])], near)).toEqual(['register'])
  })

  it('keeps its value when another tag is invalidated', () => {
    expect(broken([tagged, invalidated([2, 3], 'blue'), read('v1')])).toEqual([])
    expect(broken([tagged, invalidated([2, 3], 'blue'), read(null)])).toEqual(['register'])
  })
})

describe('a counter', () => {
  const add = (at: readonly [number, number], delta: number, sum: number): Call =>
    call('p0', at, 'count 0', { do: 'increment', key: 'sum0', delta }, sum)
  const read = (at: readonly [number, number], number: number): Call =>
    call('p1', at, 'count 0', { do: 'getNumber', key: 'sum0' }, number)

  it('counts every increment once', () => {
    expect(broken([add([0, 5], 2, 5), add([1, 4], 3, 3), read([6, 7], 5)])).toEqual([])
    expect(broken([add([0, 5], 2, 2), add([1, 4], 3, 3)])).toEqual(['counter'])
    expect(broken([add([0, 1], 2, 2), read([2, 3], 4)])).toEqual(['counter'])
  })

  it('counts an increment without an answer at most once', () => {
    const open = failed(add([0, 1], 2, 2))
    expect(broken([open, read([2, 3], 2)])).toEqual([])
    expect(broken([open, add([2, 3], 1, 1), read([4, 5], 3)])).toEqual([])
    expect(broken([open, read([2, 3], 4)])).toEqual(['counter'])
  })

  it('starts again from 0 after a delete', () => {
    const mixed = { do: 'increment', key: 'mixed0', delta: 2 } as const
    const first = call('p0', [0, 1], 'count 0', mixed, 2)
    const removed = call('p0', [2, 3], 'count 0', { do: 'delete', key: 'mixed0' }, true)
    expect(broken([first, removed, call('p0', [4, 5], 'count 0', mixed, 2)])).toEqual([])
    expect(broken([first, removed, call('p0', [4, 5], 'count 0', mixed, 4)])).toEqual(['counter'])
  })
})

describe('a finding', () => {
  it('has only the calls that show the fault', () => {
    const noise = Array.from({ length: 30 }, (_, index) => get('p2', [20 + index, 20.5 + index], 'v2'))
    const calls = [set('p0', [0, 1], 'v1'), set('p0', [2, 3], 'v2'), ...noise, get('p1', [90, 91], 'v1')]
    const later = Array.from({ length: 30 }, (_, index) => set('p0', [100 + index, 100.5 + index], `w${index}`))
    const [finding] = checkHistory({ calls: [...calls, ...later], stalls: [] }, strict).findings
    expect(finding?.calls.map(({ request }) => request.do)).toEqual(['set', 'set', 'get'])
    expect(finding?.message).toContain('no order explains these 3 calls')
  })
})
