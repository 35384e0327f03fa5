import type { Candidate } from '../harness/suite.ts'
import { rowName, scenarioOf, scenarios } from './scenarios.ts'
import { type Contestant, measureScenario, type OperationName, operations } from './workload.ts'

/** A candidate that takes part in the rows of these operations, on a server that is emptied for each. */
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

async function empty(url: string): Promise<void> {
  const { Redis } = await import('ioredis')
  const redis = new Redis(url)
  await redis.flushall()
  redis.disconnect()
}
