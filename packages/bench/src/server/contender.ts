import type { Candidate } from '../harness/suite.ts'
import type { Scenarios } from './scenarios.ts'
import { type Contestant, measureScenario, type OperationName, operations } from './workload.ts'

/** Makes a candidate that takes part in the rows of these operations. */
export type MakeContender = (
  name: string,
  packages: readonly string[],
  open: (url: string) => Promise<Contestant>,
  able?: readonly OperationName[],
) => Candidate

/** Candidates on a server that is emptied for each measurement. */
export function contenders(scenarios: Scenarios, empty: (url: string) => Promise<void>): MakeContender {
  return (name, packages, open, able = operations) => ({
    name,
    packages,
    rows: scenarios.named(able),
    async measure(row, context) {
      const { url } = context.shared as { url: string }
      await empty(url)
      const contestant = await open(url)
      const measurement = await measureScenario(scenarios.of(row), contestant, context)
      await contestant.close()
      return measurement
    },
  })
}
