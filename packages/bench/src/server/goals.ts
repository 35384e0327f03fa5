import type { ResultRow } from '../harness/suite.ts'

/** The ratio to the plain client that the whole cache is to reach in the rows that match. */
export type Goal = readonly [rows: RegExp, atLeast: number]

/** A line for each goal that was measured. */
export function goalLines(
  candidate: string,
  baseline: string,
  goals: readonly Goal[],
): (results: readonly ResultRow[]) => string[] {
  return (results) =>
    results.flatMap(({ row, candidate: measured, ratio }) => {
      const goal = goals.find(([pattern]) => pattern.test(row))
      if (measured !== candidate || goal === undefined) return []
      const verdict = ratio >= goal[1] ? 'met' : 'NOT met'
      return [`${row}: ${ratio.toFixed(2)} times ${baseline}, goal ${goal[1]}: ${verdict}`]
    })
}
