import { measureAsync, measureSync } from '../harness/measure.ts'
import type { Measurement, SuiteContext } from '../harness/suite.ts'

/**
 * The cached values. Each `id` is one more than the number of its key, so that a miss, which counts as 0, shows in the
 * sum.
 */
export interface User {
  readonly id: number
  readonly name: string
}

const entries = 1024
const passes = 10

/** Lifetime in milliseconds, the same for every candidate that has lifetimes: long enough that nothing expires. */
export const ttl = 600_000
/** Capacity for candidates that have one. */
export const capacity = 10_000
export const tags: readonly string[] = ['users', 'team:7', 'premium']

/** Ready strings: building a key is not measured here. */
export const keys: readonly string[] = Array.from({ length: entries }, (_, index) => `user:${index}`)
export const users: readonly User[] = keys.map((_, index) => ({ id: index + 1, name: `name ${index}` }))

/** The sum of the ids when every operation is a hit. */
export const workOfHits: number = passes * users.reduce((sum, { id }) => sum + id, 0)

/** Throws: a call of the loader while hits are measured is a miss. */
export function neverLoad(): never {
  throw new Error('a loader was called although its value is cached')
}

export function keyOf(index: number): string {
  return keys[index & (entries - 1)] as string
}

/** One hit of a candidate with a filled cache. */
export type Hit = (index: number) => PromiseLike<User | undefined | null> | User | undefined | null
export type SyncHit = (index: number) => User | undefined

function loop(context: SuiteContext): { operations: number; milliseconds: number; batches: number } {
  return { operations: entries * passes, milliseconds: context.quick ? 40 : 200, batches: context.quick ? 3 : 5 }
}

function idOf(user: User | undefined | null): number {
  return user?.id ?? 0
}

export function measureHits(hit: Hit, context: SuiteContext): Promise<Measurement> {
  return measureAsync(hit, idOf, loop(context))
}

export function measureSyncHits(hit: SyncHit, context: SuiteContext): Measurement {
  return measureSync((index) => idOf(hit(index)), loop(context))
}
