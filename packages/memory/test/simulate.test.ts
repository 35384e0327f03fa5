import { expect, it } from 'vitest'
import { simulatePolicies } from '../src/simulate/index.ts'

const textbook = [7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]

it('a simulation has the misses of the textbooks for three frames', () => {
  const rows = simulatePolicies(textbook, { policies: ['fifo', 'lru', 'optimal'], sizes: [3] })
  expect(rows).toEqual([
    { policy: 'fifo', size: 3, requests: 20, hits: 5, hitRatio: 0.25 },
    { policy: 'lru', size: 3, requests: 20, hits: 8, hitRatio: 0.4 },
    { policy: 'optimal', size: 3, requests: 20, hits: 11, hitRatio: 0.55 },
  ])
})

it('a simulation reads any iterable of strings or numbers once, and orders rows by size and policy', () => {
  function* keys(): Generator<string | number> {
    yield 'a'
    yield 1
    yield 'a'
    yield '1'
  }
  const rows = simulatePolicies(keys(), { sizes: [2, 1] })
  expect(rows.map(({ policy, size }) => `${policy} ${size}`).slice(0, 10)).toEqual([
    'lru 2',
    'lfu 2',
    'fifo 2',
    'random 2',
    'sieve 2',
    's3-fifo 2',
    'w-tinylfu 2',
    'adaptive 2',
    'optimal 2',
    'lru 1',
  ])
  expect(rows.every(({ requests }) => requests === 4)).toBe(true)
  expect(rows.find(({ policy, size }) => policy === 'lru' && size === 2)?.hits).toBe(1)
})

it('optimal has as many hits as the best of all possible evictions', () => {
  /** The largest number of hits over all possible evictions. */
  const most = (keys: readonly number[], held: readonly number[], size: number): number => {
    const [key, ...rest] = keys
    if (key === undefined) return 0
    if (held.includes(key)) return 1 + most(rest, held, size)
    if (held.length < size) return most(rest, [...held, key], size)
    return Math.max(...held.map((victim) => most(rest, [...held.filter((other) => other !== victim), key], size)))
  }
  let state = 5
  for (let trial = 0; trial < 60; trial += 1) {
    const keys = Array.from({ length: 12 }, () => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
      return (state >> 16) % 5
    })
    for (const size of [1, 2, 3]) {
      const [row] = simulatePolicies(keys, { policies: ['optimal'], sizes: [size] })
      expect([keys, size, row?.hits]).toEqual([keys, size, most(keys, [], size)])
    }
  }
})

it('a simulation with weights uses the sizes as bytes', () => {
  const keys = ['a', 'b', 'c', 'a', 'b', 'c', 'huge', 'a']
  const weights = [3, 3, 3, 3, 3, 3, 100, 3]
  const rows = simulatePolicies(keys, { policies: ['lru', 'optimal'], sizes: [9, 6], weights })
  expect(rows.map(({ hits }) => hits)).toEqual([4, 4, 0, 2])
})

it('the same seed gives the same rows', () => {
  const keys = Array.from({ length: 3000 }, (_, i) => (i * i) % 97)
  const run = (seed: number): number[] =>
    simulatePolicies(keys, { policies: ['random'], sizes: [10, 20, 40], seed }).map(({ hits }) => hits)
  expect(run(3)).toEqual(run(3))
  expect(run(3)).not.toEqual(run(4))
})

it('progress reaches the total', () => {
  const emitted: number[] = []
  simulatePolicies(textbook, {
    policies: ['lru', 'optimal'],
    sizes: [2, 3],
    onProgress: ({ done, total }) => emitted.push(done, total),
  })
  expect(emitted.at(-2)).toBe(80)
  expect(emitted.at(-1)).toBe(80)
})

it('an empty log results in rows without hits', () => {
  expect(simulatePolicies([], { policies: ['adaptive', 'optimal'], sizes: [5] })).toEqual([
    { policy: 'adaptive', size: 5, requests: 0, hits: 0, hitRatio: 0 },
    { policy: 'optimal', size: 5, requests: 0, hits: 0, hitRatio: 0 },
  ])
})

it('an error for a bad argument names the argument', () => {
  const refused = (call: () => unknown): unknown => {
    try {
      call()
    } catch (error) {
      return [
        (error as { code: string }).code,
        /keys|sizes|weights|policies|option|seed/.exec((error as Error).message)?.[0],
      ]
    }
    return undefined
  }
  expect(refused(() => simulatePolicies([{}] as never, { sizes: [1] }))).toEqual(['INVALID_ARGUMENT', 'keys'])
  expect(refused(() => simulatePolicies([1], { sizes: [0] }))).toEqual(['INVALID_ARGUMENT', 'sizes'])
  expect(refused(() => simulatePolicies([1], { sizes: [1], weights: [1, 2] }))).toEqual(['INVALID_ARGUMENT', 'weights'])
  expect(refused(() => simulatePolicies([1], { sizes: [1], weights: [-1] }))).toEqual(['INVALID_ARGUMENT', 'weights'])
  expect(refused(() => simulatePolicies([1], { sizes: [1], policies: ['arc' as never] }))).toEqual([
    'INVALID_ARGUMENT',
    'policies',
  ])
  expect(refused(() => simulatePolicies([1], { sizes: [1], depth: 2 } as never))).toEqual([
    'INVALID_ARGUMENT',
    'option',
  ])
  expect(refused(() => simulatePolicies(1 as never, { sizes: [1] }))).toEqual(['INVALID_ARGUMENT', 'keys'])
  expect(refused(() => simulatePolicies([1], {} as never))).toEqual(['INVALID_ARGUMENT', 'sizes'])
})
