import { batchSize, type OperationName, operations, rowName, type Scenario } from '../workload/workload.ts'

const concurrencies = [1, 10, 100, 1000]
const texts = ['200 B', '10 KB', '200 KB']

/** All rows; `quick`: those that the goals are about. */
export function scenarios(quick: boolean): readonly Scenario[] {
  const all = operations.flatMap(scenariosOf).filter(fits)
  return quick ? all.filter(isGoal) : all
}

function scenariosOf(operation: OperationName): Scenario[] {
  if (operation === 'increment') return forEach(operation, ['counter'])
  const single = operation === 'get' || operation === 'set'
  return forEach(operation, single ? ['integer', 'small object', ...texts] : texts)
}

/** What is under way at once stays below 50 MB: the disk is not what is measured. */
function fits({ operation, value, concurrency }: Scenario): boolean {
  const bytes = { '10 KB': 10_000, '200 KB': 200_000 }[value] ?? 200
  return bytes * concurrency * (operation.endsWith('Many') ? batchSize : 1) <= 50_000_000
}

function forEach(operation: OperationName, values: readonly string[]): Scenario[] {
  return values.flatMap((value) => concurrencies.map((concurrency) => ({ operation, value, concurrency })))
}

function isGoal({ operation, value, concurrency }: Scenario): boolean {
  if (operation === 'get' || operation === 'set') {
    return (value === 'small object' || value === '200 B') && (concurrency === 1 || concurrency === 100)
  }
  return (value === '200 B' || value === 'counter') && concurrency === 100
}

export function scenarioOf(row: string): Scenario {
  const found = scenarios(false).find((scenario) => rowName(scenario) === row)
  if (found === undefined) throw new Error(`no row '${row}'`)
  return found
}
