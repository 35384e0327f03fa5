import { CacheError } from '@cache/core'
import { invalidArgument } from '@cache/core/backend'
import type { Definition, StepDefinition } from '../graph/definition.ts'
import type { PlannedDefinition } from '../graph/graph.ts'
import { hashValue } from '../hashing/hash-value.ts'
import type { NodeReport } from '../report/node-report.ts'
import { RunReport } from '../report/run-report.ts'
import { ResultChanged } from './interruptions.ts'
import { NodeError } from './node-error.ts'
import { NodeFailure } from './node-failure.ts'
import type { Outcome } from './outcome.ts'
import { type RunSettings, RunState } from './run-state.ts'
import { Step, type StepDependency } from './step.ts'

/** An input of a run with its hash. */
export function inputOutcome(name: string, value: unknown, operation: string): Outcome {
  const hashOf = (given: unknown): string => hashValue(given, () => `${operation}: the input '${name}'`).hash
  return { hash: hashOf(value), value: async () => value, hashOf }
}

/** One run of a pipeline: looks up or computes every planned node, and reads the result of the last one. */
export class Run {
  readonly #state: RunState
  readonly #plan: readonly PlannedDefinition[]
  readonly #inputs: ReadonlyMap<string, Outcome>

  constructor(settings: RunSettings, plan: readonly PlannedDefinition[], inputs: ReadonlyMap<string, Outcome>) {
    this.#state = new RunState(settings)
    this.#plan = plan
    this.#inputs = inputs
  }

  async result(): Promise<{ readonly value: unknown; readonly report: RunReport }> {
    for (;;) {
      try {
        const value = await this.#attempt()
        return { value, report: this.#report() }
      } catch (error) {
        // The nodes that were computed keep their results, so the next attempt looks up only what depends on the changed one.
        if (error instanceof ResultChanged && error.run === this.#state) continue
        throw this.#published(error)
      }
    }
  }

  async #attempt(): Promise<unknown> {
    this.#state.resume()
    const outcomes = new Map<Definition, Promise<Outcome>>()
    for (const planned of this.#plan) {
      const outcome = this.#outcome(planned, outcomes).catch((error: unknown) => {
        this.#state.stop()
        throw error
      })
      // The failure of one node is the rejection of all that depend on it; the first is thrown below.
      outcome.catch(() => {})
      outcomes.set(planned.definition, outcome)
    }
    try {
      const all = await Promise.all(outcomes.values())
      return await all.at(-1)?.value()
    } finally {
      this.#state.stop()
      // Functions that run finish, so that the error can say which results are kept.
      await Promise.allSettled(outcomes.values())
    }
  }

  async #outcome(
    { definition, dependencies }: PlannedDefinition,
    outcomes: ReadonlyMap<Definition, Promise<Outcome>>,
  ): Promise<Outcome> {
    if (definition.kind === 'input') return this.#inputs.get(definition.node.name) as Outcome
    const found = dependencies.map(async (dependency): Promise<StepDependency> => {
      const { as, definition: target } = dependency
      const outcome = await (outcomes.get(target) as Promise<Outcome>)
      return { as, name: target.node.name, isInput: target.kind === 'input', outcome }
    })
    const code = await this.#state.settings.codes.of(definition)
    const step = new Step(this.#state, definition, code, await Promise.all(found))
    this.#state.check()
    await step.find()
    return step
  }

  #report(): RunReport {
    const steps = this.#plan.filter(({ definition }) => definition.kind !== 'input')
    const reports = steps.map(({ definition }) => this.#state.reportOf(definition.node.name) as NodeReport)
    return new RunReport(this.#state.settings.pipeline, reports)
  }

  #published(error: unknown): unknown {
    const { signal } = this.#state.settings
    if (signal?.aborted === true)
      return new CacheError('ABORTED', 'run: the signal was aborted', { operation: 'run', cause: signal.reason })
    if (!(error instanceof NodeFailure)) return error
    const { node, item, input, cause } = error
    return new NodeError({ node, item, input, cause, kept: this.#state.keptBesides(node) })
  }
}

/** Throws `INVALID_ARGUMENT` for a name that is none of the planned steps. */
export function checkRefresh(names: Iterable<string>, steps: readonly StepDefinition[], operation: string): void {
  const known = new Set(steps.map(({ node }) => node.name))
  for (const name of names) {
    if (!known.has(name))
      throw invalidArgument('refresh', name, `nodes that this call needs: ${[...known].join(', ')}`, operation)
  }
}
