import type { Call } from '../record/call.ts'

/** A broken promise, with the calls that show it. */
export interface Finding {
  readonly promise: 'register' | 'counter' | 'load' | 'lock' | 'fencing token' | 'rate limit' | 'error'
  readonly area: string
  readonly key: string
  readonly message: string
  readonly calls: readonly Call[]
}

/** The outcome of a check: how many objects kept their promise, and how many were too hard to decide. */
export interface Checked {
  readonly passed: number
  readonly undecided: number
  readonly findings: readonly Finding[]
}
