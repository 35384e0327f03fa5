import type { Candidate } from '../harness/suite.ts'
import { type Contestant, measureScenario, type OperationName, operations, rowName } from '../workload/workload.ts'
import { scenarioOf, scenarios } from './scenarios.ts'

/** A candidate that takes part in the rows of these operations, on a database that is emptied for each. */
export function contender(
  name: string,
  packages: readonly string[],
  open: (url: string) => Promise<Contestant>,
  able: readonly OperationName[] = operations,
): Candidate {
  return {
    name,
    packages,
    rows: scenarios(false)
      .filter(({ operation }) => able.includes(operation))
      .map(rowName),
    async measure(row, context) {
      const { url } = context.shared as { url: string }
      await empty(url)
      const contestant = await open(url)
      const measurement = await measureScenario(scenarioOf(row), contestant, context)
      await contestant.close()
      return measurement
    },
  }
}

/** Every candidate makes its own table. The others' leavings would be vacuumed while it is measured. */
export async function empty(url: string): Promise<void> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('drop schema public cascade; create schema public')
  await client.query('checkpoint')
  await client.end()
}
