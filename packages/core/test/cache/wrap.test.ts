import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { argumentKey } from '../../src/cache/wrap/argument-key.ts'
import { createRandom, type Random } from '../../src/conformance/samples/random.ts'
import { SyncCache } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { bothStores, codeOf, oneProcess } from './rig.ts'

const texts = ['', 'a', ',', ')', '(', 's1:a', 'n1', '[', ']', '{', '}', '=', 'u', 'z', ':', 'é', 'é', '\ud800']

/** Plain data of every kind, small enough that equal and nearly equal values are frequent. */
function anyValue(random: Random, depth: number): unknown {
  const leaves: (() => unknown)[] = [
    () => random.pick(texts),
    () => random.pick(texts) + random.pick(texts),
    () => random.pick([0, -0, 1, -1, 1.5, Number.NaN, Infinity, -Infinity, 1e21, 12, 2]),
    () => random.pick([0n, 1n, -1n, 12n]),
    () => random.pick([true, false, null, undefined]),
    () => new Date(random.pick([0, 1, Number.NaN])),
  ]
  if (depth === 0) return random.pick(leaves)()
  const some = (): unknown[] => Array.from({ length: random.below(4) }, () => anyValue(random, depth - 1))
  const nodes: (() => unknown)[] = [
    some,
    () => new Set(some()),
    () => new Map(some().map((key) => [key, anyValue(random, depth - 1)])),
    () => Object.fromEntries(some().map((_, index) => [random.pick(texts) + index, anyValue(random, depth - 1)])),
  ]
  return random.pick([...leaves, ...nodes])()
}

/** Whether two values have the same structure. The order in sets and maps does not matter. */
function same(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return false
  if (one instanceof Date) return Object.is(one.getTime(), (other as Date).getTime())
  if (one instanceof Set) return sameMembers([...one], [...(other as Set<unknown>)])
  if (one instanceof Map) return sameMembers([...one], [...(other as Map<unknown, unknown>)])
  if (Array.isArray(one)) {
    return (
      one.length === (other as unknown[]).length &&
      one.every((value, index) => same(value, (other as unknown[])[index]))
    )
  }
  return sameMembers(Object.entries(one), Object.entries(other))
}

function sameMembers(one: readonly unknown[], other: readonly unknown[]): boolean {
  const left = [...other]
  return (
    one.length === other.length &&
    one.every((value) => {
      const index = left.findIndex((candidate) => same(value, candidate))
      if (index >= 0) left.splice(index, 1)
      return index >= 0
    })
  )
}

describe('the keys of a wrapped function', () => {
  it('keys are equal for equal arguments, and different for all others (seeded)', () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
    const random = createRandom(seed)
    const known = new Map<string, unknown[]>()
    let met = 0
    for (let round = 0; round < 60_000; round += 1) {
      const values = Array.from({ length: random.below(3) }, () => anyValue(random, 2))
      const key = argumentKey(values, 'wrap')
      const before = known.get(key)
      if (before === undefined) known.set(key, values)
      else {
        met += 1
        if (!same(before, values)) expect.unreachable(`SEED=${seed}: two data with the key ${key}`)
      }
    }
    expect(met).toBeGreaterThan(1000)
    const all = [...known.values()].slice(0, 1500)
    for (const [index, one] of all.entries())
      for (const other of all.slice(0, index))
        if (same(one, other)) expect.unreachable(`SEED=${seed}: two keys for ${argumentKey(one, '')}`)
  })

  it('the order of members does not affect the key', () => {
    expect(argumentKey([{ a: 1, b: 2 }], '')).toBe(argumentKey([{ b: 2, a: 1 }], ''))
    expect(argumentKey([new Set([1, 2])], '')).toBe(argumentKey([new Set([2, 1])], ''))
    expect(
      argumentKey(
        [
          new Map([
            [1, 2],
            [3, 4],
          ]),
        ],
        '',
      ),
    ).toBe(
      argumentKey(
        [
          new Map([
            [3, 4],
            [1, 2],
          ]),
        ],
        '',
      ),
    )
  })

  it('subclasses of built-in classes, named members of arrays and holes are refused', () => {
    class Money extends Array<number> {
      currency = 'EUR'
    }
    class Day extends Date {}
    class Tagged extends Map {}
    class Group extends Set {}
    const sparse: unknown[] = []
    sparse[1] = 1
    for (const value of [
      new Money(),
      new Day(0),
      new Tagged(),
      new Group(),
      Object.assign([1], { extra: 2 }),
      Object.assign(new Date(0), { extra: 2 }),
      Object.assign(new Map(), { extra: 2 }),
      Object.assign(new Set(), { extra: 2 }),
      Object.assign([1], { [Symbol('s')]: 1 }),
      'ab'.match(/(?<first>a)/),
      sparse,
    ])
      expect(() => argumentKey([value], 'wrap')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  it('values of another realm have the keys of equal values of this one', () => {
    for (const text of [
      '({ a: [1, { b: null }] })',
      'Object.assign(Object.create(null), { a: 1 })',
      '[1, [2]]',
      'new Date(5)',
      'new Map([[1, new Set([2])]])',
      'new Set([[1], 2])',
    ]) {
      const here: unknown = new Function(`return ${text}`)()
      expect(argumentKey([runInNewContext(text)], 'wrap')).toBe(argumentKey([here], 'wrap'))
    }
    for (const text of ['/a/', 'new (class Day extends Date {})()', 'new Uint8Array(1)', '[, 1]']) {
      expect(() => argumentKey([runInNewContext(text)], 'wrap')).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
    }
  })

  it('members that are not enumerable are left out, whatever names them', () => {
    const hidden = { value: 1 }
    for (const plain of [{ a: 1 }, [1], new Date(0), new Map(), new Set()]) {
      const value = structuredClone(plain)
      Object.defineProperties(value, { hidden, [Symbol('s')]: hidden })
      expect(argumentKey([value], 'wrap')).toBe(argumentKey([plain], 'wrap'))
    }
  })

  it('an array with both a hole and a named member is refused', () => {
    for (const value of [Object.assign([1, 2], { a: 1 }), Object.assign(new Array(2), { 0: 1, a: 1 })]) {
      expect(() => argumentKey([value], 'wrap')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    }
  })

  it('values that cannot be compared are refused', () => {
    class Own {}
    const circle: unknown[] = []
    circle.push(circle)
    for (const value of [
      () => {},
      Symbol('s'),
      new Own(),
      /x/,
      circle,
      { [Symbol('s')]: 1 },
      new Uint8Array(1),
      new WeakMap(),
    ])
      expect(() => argumentKey([value], 'wrap')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})

for (const [name, open] of bothStores) {
  describe(`wrap, on ${name}`, () => {
    it('the function runs once for equal arguments, and its result is returned', async () => {
      const { cache } = open()
      const runs: unknown[] = []
      const wrapped = cache.wrap(
        async (id: number, options?: { deep: boolean }) => {
          runs.push([id, options])
          return `${id} ${options?.deep}`
        },
        { key: 'report' },
      )
      expect(await wrapped(1)).toBe('1 undefined')
      expect(await wrapped(1)).toBe('1 undefined')
      expect(await wrapped(1, { deep: true })).toBe('1 true')
      expect(await wrapped(2)).toBe('2 undefined')
      expect(runs).toEqual([
        [1, undefined],
        [1, { deep: true }],
        [2, undefined],
      ])
      await cache.deleteByPrefix('report(')
      await wrapped(1)
      expect(runs.length).toBe(4)
    })

    it('lifetimes, tags and a function for the key are accepted', async () => {
      const { cache } = open()
      const wrapped = cache.wrap(async (user: { id: number }) => user, {
        key: (user) => `user:${user.id}`,
        ttl: '1s',
        tags: ['users'],
      })
      await wrapped({ id: 7 })
      expect(await cache.ttl('user:7')).toBe(1000)
      await cache.deleteByTag('users')
      expect(await cache.has('user:7')).toBe(false)
    })

    it('keyOf, invalidate and refresh take the arguments of a call', async () => {
      const { cache } = open()
      let runs = 0
      const count = async (id: number): Promise<string> => {
        runs += 1
        return `${id}: ${runs}`
      }
      const wrapped = cache.wrap(count, { key: 'count', ttl: '1s' })
      expect(await wrapped(1)).toBe('1: 1')
      expect(await cache.get(wrapped.keyOf(1))).toBe('1: 1')
      expect(await wrapped.refresh(1)).toBe('1: 2')
      expect(await wrapped(1)).toBe('1: 2')
      expect(await cache.ttl(wrapped.keyOf(1))).toBe(1000)
      expect(await wrapped.invalidate(2)).toBe(false)
      expect(await wrapped.invalidate(1)).toBe(true)
      expect(await wrapped(1)).toBe('1: 3')
      const symbol = Symbol('no data') as never
      expect(await codeOf(wrapped.invalidate(symbol))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(wrapped.refresh(symbol))).toBe('INVALID_ARGUMENT')
      expect(() => wrapped.keyOf(symbol)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    })

    it('arguments without a key and an error of the function reject the call', async () => {
      const { cache } = open()
      const wrapped = cache.wrap(async (value: unknown) => value, { key: 'f' })
      expect(await codeOf(wrapped(() => {}))).toBe('INVALID_ARGUMENT')
      const failing = cache.wrap(() => Promise.reject(new Error('down')), { key: 'g' })
      await expect(failing()).rejects.toThrow('down')
    })
  })
}

describe('wrap', () => {
  it('a function wrapped by a SyncCache has keyOf, invalidate and refresh', () => {
    const sync = new SyncCache({ backend: new SyncMapBackend() })
    let runs = 0
    const wrapped = sync.wrap(
      (id: number) => {
        runs += 1
        return id + runs
      },
      { key: 'sum' },
    )
    expect([wrapped(1), wrapped.refresh(1), wrapped(1), sync.get(wrapped.keyOf(1))]).toEqual([2, 3, 3, 3])
    expect([wrapped.invalidate(1), wrapped.invalidate(1), wrapped(1)]).toEqual([true, false, 4])
  })

  it('invalid options are refused at once', () => {
    const { cache } = oneProcess()
    const sync = new SyncCache({ backend: new MapBackend() })
    for (const options of [
      undefined,
      null,
      {},
      { key: '' },
      { key: 5 },
      { key: 'f(' },
      { key: 'f', ttl: -1 },
      { key: 'f', other: 1 },
      { key: 'f', tags: 'a' },
    ]) {
      expect(() => cache.wrap(async () => 1, options as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
      expect(() => sync.wrap(() => 1, options as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    }
    expect(() => cache.wrap('f' as never, { key: 'f' })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
