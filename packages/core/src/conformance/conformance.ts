import { invalidArgument } from '../protocol/argument.ts'
import { chapters } from './chapters/index.ts'
import { checkHarness } from './harness/check-harness.ts'
import type { Harness } from './harness/harness.ts'
import type { Rule } from './rules/rule.ts'
import { reasonToSkip, runRule } from './rules/run-rule.ts'
import type { Runner, RunningTest } from './runner.ts'

/** In milliseconds. The slowest rule stores twenty thousand items on a real server, on a slow machine. */
const timeout = 60_000

/**
 * Declares the whole suite in the given test runner: one `describe` for each chapter of CONTRACT.md and one `it` for each
 * rule, titled by its number and promise. A rule that the harness or the backend cannot run shows as skipped, with the
 * reason. Throws `INVALID_ARGUMENT` for a harness with missing or unknown members.
 */
export function conformance(harness: Harness, runner: Runner): void {
  checkHarness(harness)
  if (typeof runner?.describe !== 'function' || typeof runner.it !== 'function') {
    throw invalidArgument('runner', runner, 'an object with describe and it, of the test runner', 'conformance')
  }
  runner.describe(`${harness.name} keeps the contract of a backend`, () => {
    for (const chapter of chapters) {
      runner.describe(chapter.title, () => {
        for (const rule of chapter.rules) declare(rule, harness, runner)
      })
    }
  })
}

function declare(rule: Rule, harness: Harness, { it }: Runner): void {
  const title = `${rule.id} ${rule.says}`
  const reason = reasonToSkip(rule, harness)
  if (reason !== undefined) {
    it.skip(`${title} (skipped: ${reason})`, () => {})
    return
  }
  it(title, async (running?: RunningTest) => report(title, rule, harness, running), timeout)
}

async function report(title: string, rule: Rule, harness: Harness, running?: RunningTest): Promise<void> {
  const outcome = await runRule(rule, harness)
  if (outcome.status === 'failed') throw outcome.error
  if (outcome.status === 'passed') return
  // Only an open backend shows its members, and `it.skip` would come too late then.
  if (typeof running?.skip === 'function') running.skip(outcome.reason)
  else console.warn(`${harness.name}: ${title} (skipped: ${outcome.reason})`)
}
