import { chapters } from './chapters/index.ts'
import { checkHarness } from './harness/check-harness.ts'
import type { Harness } from './harness/harness.ts'
import { resultOf } from './rules/result-of.ts'
import { runRule } from './rules/run-rule.ts'
import { type RuleResult, type Summary, summaryOf } from './rules/summary.ts'

/**
 * Runs every rule without a test runner, one after the other. Resolves to the summary, and does not reject for broken rules.
 * Rejects with `INVALID_ARGUMENT` for a harness with missing or unknown members.
 *
 *     const summary = await runSuite(harness)
 *     console.log(summaryText(summary))
 *     await writeFile('conformance.json', JSON.stringify(summary))
 */
export async function runSuite(harness: Harness): Promise<Summary> {
  checkHarness(harness)
  const results: RuleResult[] = []
  for (const { rules } of chapters) {
    for (const rule of rules) results.push(resultOf(rule, await runRule(rule, harness)))
  }
  return summaryOf(harness.name, results)
}
