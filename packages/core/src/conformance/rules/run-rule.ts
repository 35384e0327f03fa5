import type { Harness, Means } from '../harness/harness.ts'
import { SkipRule } from '../stage/skip-rule.ts'
import { Stage } from '../stage/stage.ts'
import type { Member, Rule } from './rule.ts'

export type Outcome =
  | { readonly status: 'passed' }
  /** `lacking` is the absent member of the harness or the backend, where one is the reason. */
  | { readonly status: 'skipped'; readonly reason: string; readonly lacking?: Member | Means }
  | { readonly status: 'failed'; readonly error: unknown }

type Skipped = Extract<Outcome, { status: 'skipped' }>

/** The skip of a rule that this harness cannot run, or `undefined` when it can. Nothing is opened for it. */
export function skipOf(rule: Rule, harness: Harness): Skipped | undefined {
  const lacking = rule.means.find((means) => harness[means] === undefined)
  if (lacking === undefined) return undefined
  return { status: 'skipped', reason: harness.without?.[lacking] ?? `the harness has no '${lacking}'`, lacking }
}

/** Runs one rule on a store of its own. Resolves to the outcome and never rejects. */
export async function runRule(rule: Rule, harness: Harness): Promise<Outcome> {
  const skip = skipOf(rule, harness)
  if (skip !== undefined) return skip
  const stage = new Stage(harness)
  const outcome = await attempt(async () => {
    if (rule.opens) {
      const backend = await stage.openFirst(rule.means)
      const lacking = rule.members.find((member) => backend[member] === undefined)
      if (lacking !== undefined) stage.skip(`the backend has no '${lacking}'`, lacking)
    }
    await stage.check(() => rule.check(stage as never))
  })
  const ended = await attempt(() => stage.end())
  return outcome.status === 'failed' || ended.status === 'passed' ? outcome : ended
}

async function attempt(work: () => Promise<void>): Promise<Outcome> {
  try {
    await work()
    return { status: 'passed' }
  } catch (error) {
    if (!(error instanceof SkipRule)) return { status: 'failed', error }
    const { reason, lacking } = error
    return { status: 'skipped', reason, ...(lacking === undefined ? {} : { lacking: lacking as Member | Means }) }
  }
}
