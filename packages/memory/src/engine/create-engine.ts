import { CacheError, type Duration, invalidArgument, milliseconds, wholeNumber } from '@cache/core/backend'
import { estimateBytes } from '../estimate-bytes.ts'
import { createPolicy } from '../policy/create-policy.ts'
import { coarseClock, unusedClock } from './coarse-clock.ts'
import { Engine, type RemovalListener } from './engine.ts'
import type { EngineSettings } from './engine-settings.ts'
import { secureRandom } from './secure-random.ts'

/** The cells of the index have 32 bits, and could not hold more slots. */
export const maxEntryCount: number = 2 ** 30

/** Throws `INVALID_ARGUMENT`. */
export function entryLimit(maxEntries: number, operation: string): number {
  return wholeNumber(maxEntries, 'maxEntries', operation, 1, maxEntryCount)
}

/** Checks and resolves the options, once. Throws `INVALID_ARGUMENT`. */
export function createEngine<K, V>(
  options: EngineSettings<K, V>,
  listener: RemovalListener<K, V> | undefined,
  operation: string,
): Engine<K, V> {
  const { maxEntries, maxBytes, clock, random, policy } = options
  if (maxEntries === undefined && maxBytes === undefined) {
    throw new CacheError('INVALID_ARGUMENT', `${operation}: give maxEntries or maxBytes`, { operation })
  }
  checkFunction(options.weigh, 'weigh', operation)
  checkFunction(random, 'random', operation)
  if (clock !== undefined && typeof clock?.now !== 'function') {
    throw invalidArgument('clock', clock, 'an object with a method now', operation)
  }
  const bytes = maxBytes === undefined ? Number.POSITIVE_INFINITY : wholeNumber(maxBytes, 'maxBytes', operation, 1)
  return new Engine<K, V>({
    maxEntries: maxEntries === undefined ? Number.POSITIVE_INFINITY : entryLimit(maxEntries, operation),
    maxBytes: bytes,
    maxEntryBytes: resolveMaxEntryBytes(options.maxEntryBytes, bytes, operation),
    weigh: options.weigh ?? (maxBytes === undefined ? undefined : estimateEntry),
    clock: clock ?? coarseClock,
    coarseClock: clock === undefined ? coarseClock : unusedClock,
    reclaimWhenIdle: clock === undefined,
    policy: createPolicy(policy ?? 'adaptive', random ?? Math.random),
    listener,
    random: random ?? secureRandom,
  })
}

/** Milliseconds of a lifetime longer than 0; `Infinity` means never. */
export function lifetime(ttl: Duration, operation: string): number {
  const ms = milliseconds(ttl, 'ttl', operation)
  if (ms === 0) throw invalidArgument('ttl', ttl, 'longer than 0', operation)
  return ms
}

function estimateEntry(value: unknown, key: unknown): number {
  return estimateBytes(value) + estimateBytes(key)
}

function resolveMaxEntryBytes(given: number | undefined, maxBytes: number, operation: string): number {
  if (given !== undefined) return wholeNumber(given, 'maxEntryBytes', operation, 1, maxBytes)
  return maxBytes === Number.POSITIVE_INFINITY ? maxBytes : Math.max(1, Math.floor(maxBytes / 2))
}

/** Throws `INVALID_ARGUMENT` unless the argument is a function or absent. */
export function checkFunction(given: unknown, name: string, operation: string): void {
  if (given !== undefined && typeof given !== 'function') throw invalidArgument(name, given, 'a function', operation)
}
