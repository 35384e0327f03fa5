import { chapters, runRule } from '../../../src/conformance/index.ts'
import type { Mutant } from './mutant.ts'

/** The chapters that most likely catch a kind of mutant. They run first, which saves time and changes no result. */
const likely: Readonly<Record<string, readonly number[]>> = {
  values: [1],
  items: [1, 2],
  keys: [4, 5, 8],
  batches: [6],
  races: [3, 7],
  counters: [7],
  timers: [2, 10],
  iterations: [8],
  outages: [10],
  formats: [9],
  near: [13],
  limits: [12],
  transactions: [15],
  restarts: [11],
  prefixes: [11],
}

/** The number of a rule that the mutant breaks, or `undefined` when every rule passes. */
export async function catchMutant({ kind, harness }: Mutant): Promise<string | undefined> {
  const one = harness()
  const first = (likely[kind] ?? []).map((number) => chapters[number - 1]).filter((chapter) => chapter !== undefined)
  const others = chapters.filter((chapter) => !first.includes(chapter))
  for (const { rules } of [...first, ...others]) {
    for (const rule of rules) if ((await runRule(rule, one)).status === 'failed') return rule.id
  }
  return undefined
}
