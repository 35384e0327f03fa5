import type { Candidate, Row, Suite, SuiteContext } from './suite.ts'

/** The candidates of a suite, which may depend on the arguments. */
export function candidatesOf(suite: Suite, context: SuiteContext): readonly Candidate[] {
  return typeof suite.candidates === 'function' ? suite.candidates(context) : suite.candidates
}

/** The rows of a suite, which may depend on the arguments. */
export async function rowsOf(suite: Suite, context: SuiteContext): Promise<readonly Row[]> {
  return typeof suite.rows === 'function' ? await suite.rows(context) : suite.rows
}

/** Whether the candidate takes part in the row. */
export function takesPart(candidate: Candidate, row: Row): boolean {
  return candidate.rows === undefined || candidate.rows.includes(row.name)
}
