import type { Clock } from '@cache/core/backend'
import type { EvictionPolicy } from '../policy/policy.ts'

/** The options that `BoundedMap` and `MemoryBackend` have in common. Their own types document the members. */
export interface EngineSettings<K, V> {
  readonly maxEntries?: number | undefined
  readonly maxBytes?: number | undefined
  readonly maxEntryBytes?: number | undefined
  readonly weigh?: ((value: V, key: K) => number) | undefined
  readonly policy?: EvictionPolicy | undefined
  readonly clock?: Clock | undefined
  readonly random?: (() => number) | undefined
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
