import type { ResponsePolicy } from './freshness.ts'
import type { RequestPolicy } from './request-policy.ts'

/** What may happen with a stored response. */
export type Decision = 'serve' | 'serve-and-renew' | 'validate'

/** A stored response at one instant, in milliseconds. */
export interface Judged {
  readonly decision: Decision
  readonly age: number
  /** How long it stays fresh; negative when it is stale. */
  readonly remaining: number
}

/** Decides about a stored response of this age (RFC 9111 section 4). `isExpired`: the operator declared it stale. */
export function decide(policy: ResponsePolicy, request: RequestPolicy, age: number, isExpired: boolean): Judged {
  const left = policy.lifetime - age
  const remaining = isExpired ? Math.min(left, 0) : left
  return { decision: decision(policy, request, age, remaining), age, remaining }
}

function decision(policy: ResponsePolicy, request: RequestPolicy, age: number, remaining: number): Decision {
  if (policy.alwaysValidate || request.noCache) return 'validate'
  if (request.maxAge !== undefined && age > request.maxAge) return 'validate'
  if (remaining > 0) return remaining >= request.minFresh ? 'serve' : 'validate'
  if (policy.mustRevalidate || request.minFresh > 0) return 'validate'
  const staleness = -remaining
  if (!policy.sharedLifetime && request.maxStale > 0 && staleness <= request.maxStale) return 'serve'
  return staleness < policy.staleWhileRevalidate ? 'serve-and-renew' : 'validate'
}

/**
 * Whether a stored response may answer although the origin failed. `stale-if-error` (RFC 5861 section 4) covers every failure. An origin
 * that cannot be reached also allows a stale response (RFC 9111 section 4.2.4), unless a directive forbids it.
 */
export function servesOnFailure(
  policy: ResponsePolicy,
  request: RequestPolicy,
  { age, remaining }: Judged,
  isUnreachable: boolean,
  defaultWindow: number,
): boolean {
  if (policy.alwaysValidate || policy.mustRevalidate) return false
  const staleness = Math.max(0, -remaining)
  const window = Math.max(policy.staleIfError ?? defaultWindow, request.staleIfError)
  if (staleness < window) return true
  if (!isUnreachable || policy.sharedLifetime || policy.staleIfError !== undefined) return false
  return !request.noCache && (request.maxAge === undefined || age <= request.maxAge)
}
