import type { Call } from '../record/call.ts'
import type { Checked, Finding } from './finding.ts'

/** The codes that a fault of the network, of a server or of another process explains. */
const explained: ReadonlySet<string> = new Set([
  'UNAVAILABLE',
  'TIMEOUT',
  'CONFLICT',
  'LOCK_TIMEOUT',
  'LOCK_LOST',
  'LOAD_TIMEOUT',
  'OUT_OF_MEMORY',
  'READ_ONLY',
  'CLOSED',
  'BACKEND_FAILURE',
])

/** Every call rejects with a `CacheError` whose code a fault explains. Values come back undamaged. */
export function checkErrors(calls: readonly Call[]): Checked {
  const findings: Finding[] = []
  for (const call of calls) {
    const key = 'key' in call.request ? call.request.key : ''
    if (call.outcome === 'failed' && !explained.has(call.error ?? '')) {
      findings.push({ promise: 'error', area: call.area, key, message: `${call.id}: ${call.error}`, calls: [call] })
    }
  }
  return { passed: findings.length === 0 ? 1 : 0, undecided: 0, findings }
}

/** How often each code was the error of a call. */
export function countErrors(calls: readonly Call[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { outcome, error } of calls) {
    if (outcome === 'failed' && error !== undefined) counts[error] = (counts[error] ?? 0) + 1
  }
  return counts
}
