import type { CacheBackend } from '@cache/core/backend'
import { FailoverBackend } from './failover-backend.ts'
import type { FailoverOptions } from './failover-options.ts'

/** `new FailoverBackend([primary, secondary], options)`. For three, nest: `failover([a, failover([b, c])])`. */
export function failover(
  backends: readonly [primary: CacheBackend, secondary: CacheBackend],
  options: FailoverOptions = {},
): FailoverBackend {
  return new FailoverBackend(backends, options)
}
