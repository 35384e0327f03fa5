import type { Clock } from '@cache/core'
import type { FreshnessSettings } from '../semantics/freshness.ts'

/** The options of an `HttpCache` with their defaults filled in. Lengths are milliseconds. */
export interface Settings extends FreshnessSettings {
  readonly maxBodyBytes: number
  readonly keepStale: number
  readonly staleIfError: number
  readonly requestDirectives: boolean
  readonly keyFields: readonly string[]
  readonly timeout: number
  readonly waitUntil: ((work: Promise<unknown>) => void) | undefined
  readonly onError: ((error: unknown) => void) | undefined
  readonly clock: Required<Clock>
}
