import type { StepDefinition } from '../graph/definition.ts'
import type { MissReason } from '../report/node-report.ts'
import type { NodeParts } from '../storage/node-record.ts'
import type { Outcome } from './outcome.ts'
import type { RunState } from './run-state.ts'

/** Everything that the computation of one node needs. */
export interface StepContext {
  readonly state: RunState
  readonly definition: StepDefinition
  readonly dependencies: ReadonlyMap<string, Outcome>
  readonly parts: NodeParts
  /** Aborts when no run waits for the result any more. */
  readonly signal: AbortSignal
  readonly isForced: boolean
}

/** A result with the facts that the report has. */
export interface StepReport {
  readonly reason?: MissReason
  readonly ms: number
}

/** Throws when the result is not wanted any more. */
export function checkWanted({ state, signal }: StepContext): void {
  state.check()
  if (signal.aborted) throw signal.reason
}
