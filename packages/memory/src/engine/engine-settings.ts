import type { Clock } from '@cache/core/backend'
import type { EvictionPolicy } from '../policy/policy.ts'

/** The options that `BoundedMap` and `MemoryBackend` have in common. Their own types document the members. */
export interface EngineSettings<K, V> {
  readonly maxEntries?: number
  readonly maxBytes?: number
  readonly maxEntryBytes?: number
  readonly weigh?: (value: V, key: K) => number
  readonly policy?: EvictionPolicy
  readonly clock?: Clock
  readonly random?: () => number
}

export const engineOptionNames: readonly string[] = [
  'maxEntries',
  'maxBytes',
  'maxEntryBytes',
  'weigh',
  'policy',
  'clock',
  'random',
]
