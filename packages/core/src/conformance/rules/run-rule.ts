import type { Harness } from '../harness/harness.ts'
import { SkipRule } from '../stage/skip-rule.ts'
import { Stage } from '../stage/stage.ts'
import type { Rule } from './rule.ts'

export type Outcome =
  | { readonly status: 'passed' }
  | { readonly status: 'skipped'; readonly reason: string }
  | { readonly status: 'failed'; readonly error: unknown }

/** The reason why the harness cannot run this rule, or `undefined` when it can. Nothing is opened for it. */
export function reasonToSkip(rule: Rule, harness: Harness): string | undefined {
  for (const means of rule.means) {
    if (harness[means] === undefined) return harness.without?.[means] ?? `the harness has no '${means}'`
  }
  return undefined
}

/** Runs one rule on a store of its own. Resolves to the outcome and never rejects. */
export async function runRule(rule: Rule, harness: Harness): Promise<Outcome> {
  const reason = reasonToSkip(rule, harness)
  if (reason !== undefined) return { status: 'skipped', reason }
  const stage = new Stage(harness)
  const outcome = await attempt(async () => {
    if (rule.opens) {
      const backend = await stage.openFirst(rule.means)
      const lacking = rule.members.find((member) => backend[member] === undefined)
      if (lacking !== undefined) stage.skip(`the backend has no '${lacking}'`)
    }
    await rule.check(stage)
  })
  const ended = await attempt(() => stage.end())
  return outcome.status === 'failed' || ended.status === 'passed' ? outcome : ended
}

async function attempt(work: () => Promise<void>): Promise<Outcome> {
  try {
    await work()
    return { status: 'passed' }
  } catch (error) {
    return error instanceof SkipRule ? { status: 'skipped', reason: error.reason } : { status: 'failed', error }
  }
}
