import { checkOptions, invalidArgument, wholeNumber } from '@cache/core/backend'
import { checkFunction, createEngine, maxEntryCount } from '../engine/create-engine.ts'
import { policyNames } from '../policy/create-policy.ts'
import type { EvictionPolicy } from '../policy/policy.ts'
import { optimalHits } from './optimal.ts'
import { type RequestLog, readRequests } from './request-log.ts'

/** A policy of a `BoundedMap`, or `optimal`: Belady's policy, which knows the future. */
export type SimulatedPolicy = EvictionPolicy | 'optimal'

export interface SimulationOptions {
  /** Default: all policies, and `optimal`. */
  readonly policies?: readonly SimulatedPolicy[] | undefined
  /** The limits to simulate: numbers of entries, or of bytes with `weights`. */
  readonly sizes: readonly number[]
  /** The bytes of each request, in the order of the keys. With weights, `optimal` is only near the optimum. Default: every entry counts 1. */
  readonly weights?: Iterable<number> | undefined
  /** Called after about every 100,000 requests and at the end of each row. */
  readonly onProgress?: ((progress: SimulationProgress) => void) | undefined
  /** The seed of policies that use random numbers: the same seed gives the same rows. Default: 1. */
  readonly seed?: number | undefined
}

export interface SimulationProgress {
  readonly policy: SimulatedPolicy
  readonly size: number
  /** The simulated requests and all requests, summed over all rows. */
  readonly done: number
  readonly total: number
}

export interface SimulationRow {
  readonly policy: SimulatedPolicy
  readonly size: number
  readonly requests: number
  readonly hits: number
  /** `hits / requests`, between 0 and 1; 0 without requests. */
  readonly hitRatio: number
}

const known = ['policies', 'sizes', 'weights', 'onProgress', 'seed']
const progressMask = 0x1ffff

/**
 * Replays a log of requests against each policy at each size, as a cache that stores every miss. Returns one row for each,
 * in the order of `sizes` and then of `policies`. Reads the keys once. Throws `INVALID_ARGUMENT` for a bad option, size, key
 * or weight.
 */
export function simulatePolicies(keys: Iterable<string | number>, options: SimulationOptions): SimulationRow[] {
  checkOptions(options, known, 'simulatePolicies')
  checkFunction(options.onProgress, 'onProgress', 'simulatePolicies')
  if (!isIterable(keys)) throw invalidArgument('keys', keys, 'an iterable of strings or numbers', 'simulatePolicies')
  if (!isIterable(options.sizes))
    throw invalidArgument('sizes', options.sizes, 'an array of whole numbers', 'simulatePolicies')
  const sizes = [...options.sizes]
  for (const size of sizes) checkSize(size, options.weights !== undefined)
  const policies = checkedPolicies(options.policies ?? [...policyNames, 'optimal'])
  const seed = wholeNumber(options.seed ?? 1, 'seed', 'simulatePolicies', 0, 2 ** 32 - 1)
  const log = readRequests(keys, options.weights)
  const requests = log.ids.length
  const total = requests * sizes.length * policies.length
  const rows: SimulationRow[] = []
  for (const size of sizes) {
    for (const policy of policies) {
      const before = rows.length * requests
      const progress = (done: number): void => {
        if ((done & progressMask) === 0 || done === requests) {
          options.onProgress?.({ policy, size, done: before + done, total })
        }
      }
      const hits =
        policy === 'optimal' ? optimalHits(log, size, progress) : policyHits(log, policy, size, seed, progress)
      progress(requests)
      rows.push({ policy, size, requests, hits, hitRatio: requests === 0 ? 0 : hits / requests })
    }
  }
  return rows
}

function isIterable(given: unknown): boolean {
  return typeof (given as Iterable<unknown> | null | undefined)?.[Symbol.iterator] === 'function'
}

function checkSize(size: number, weighted: boolean): void {
  wholeNumber(size, 'sizes', 'simulatePolicies', 1, weighted ? Number.MAX_SAFE_INTEGER : maxEntryCount)
}

function checkedPolicies(given: readonly SimulatedPolicy[]): SimulatedPolicy[] {
  const policies: unknown[] = isIterable(given) ? [...given] : [given]
  return policies.map((policy) => {
    const known = [...policyNames, 'optimal' as const].find((name) => name === policy)
    if (known !== undefined) return known
    throw invalidArgument('policies', policy, `made of ${policyNames.join(', ')}, optimal`, 'simulatePolicies')
  })
}

function policyHits(
  log: RequestLog,
  policy: EvictionPolicy,
  size: number,
  seed: number,
  progress: (done: number) => void,
): number {
  const { ids, weights } = log
  let current = 0
  const limits =
    weights === undefined
      ? { maxEntries: size }
      : { maxBytes: size, maxEntryBytes: size, weigh: () => weights[current] as number }
  const engine = createEngine<number, true>(
    { ...limits, policy, random: seededRandom(seed) },
    undefined,
    'simulatePolicies',
  )
  for (let i = 0; i < ids.length; i += 1) {
    progress(i)
    current = i
    const id = ids[i] as number
    if (engine.get(id) === undefined) engine.set(id, true, Number.POSITIVE_INFINITY)
  }
  return engine.hits
}

/** A source of numbers from 0 to 1, equal for equal seeds: mulberry32 (Tommy Ettinger, public domain). */
function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
