import { invalidArgument } from '../protocol/argument.ts'
import { chapters } from './chapters/index.ts'
import { checkHarness } from './harness/check-harness.ts'
import type { Harness } from './harness/harness.ts'
import { resultOf } from './rules/result-of.ts'
import type { Rule } from './rules/rule.ts'
import { type Outcome, runRule, skipOf } from './rules/run-rule.ts'
import { type RuleResult, summaryOf } from './rules/summary.ts'
import type { Runner, RunningTest } from './runner.ts'

/** In milliseconds. The slowest rule stores twenty thousand items on a real server, on a slow machine. */
const timeout = 60_000

/**
 * Declares the whole suite in the given test runner: one `describe` for each chapter of CONTRACT.md and one `it` for each
 * rule, titled by its number and promise. A rule that the harness or the backend cannot run shows as skipped, with the
 * reason. `runner.summary` receives the summary after the last rule. Throws `INVALID_ARGUMENT` for a harness with missing or
 * unknown members.
 */
export function conformance(harness: Harness, runner: Runner): void {
  checkHarness(harness)
  if (typeof runner?.describe !== 'function' || typeof runner.it !== 'function') {
    throw invalidArgument('runner', runner, 'an object with describe and it, of the test runner', 'conformance')
  }
  if (runner.summary !== undefined && typeof runner.after !== 'function') {
    throw invalidArgument('runner.after', runner.after, 'a function, because runner.summary is present', 'conformance')
  }
  const results: RuleResult[] = []
  runner.describe(`${harness.name} keeps the contract of a backend`, () => {
    for (const chapter of chapters) {
      runner.describe(chapter.title, () => {
        for (const rule of chapter.rules) {
          declare(rule, harness, runner, (outcome) => results.push(resultOf(rule, outcome)))
        }
      })
    }
    runner.after?.(() => runner.summary?.(summaryOf(harness.name, results)))
  })
}

function declare(rule: Rule, harness: Harness, { it }: Runner, note: (outcome: Outcome) => void): void {
  const title = `${rule.id} ${rule.says}`
  const skip = skipOf(rule, harness)
  if (skip !== undefined) {
    note(skip)
    it.skip(`${title} (skipped: ${skip.reason})`, () => {})
    return
  }
  // Without a declared parameter: mocha and jest would take it for a callback, and wait for its call.
  async function check(this: unknown, ...given: readonly unknown[]): Promise<void> {
    const context = this as MochaContext | undefined
    if (typeof context?.timeout === 'function') context.timeout(timeout)
    const outcome = await runRule(rule, harness)
    note(outcome)
    report(`${harness.name}: ${title}`, outcome, runningTest(given[0]) ?? runningTest(context))
  }
  it(title, check, timeout)
}

/** The members of mocha's `this` that are used here. */
interface MochaContext {
  timeout?(ms: number): unknown
}

function runningTest(given: unknown): RunningTest | undefined {
  return typeof (given as RunningTest | undefined)?.skip === 'function' ? (given as RunningTest) : undefined
}

function report(title: string, outcome: Outcome, running: RunningTest | undefined): void {
  if (outcome.status === 'failed') throw outcome.error
  if (outcome.status === 'passed') return
  // Only an open backend shows its members, and `it.skip` would come too late then.
  if (running !== undefined) running.skip(outcome.reason)
  else console.warn(`${title} (skipped: ${outcome.reason})`)
}
