import type { Row, SuiteContext } from '../harness/suite.ts'
import { batchSize, type OperationName, operations, rowName, type Scenario } from './workload.ts'

const concurrencies = [1, 10, 100, 1000]
const texts = ['200 B', '10 KB', '200 KB']

/** The rows of a store whose measurements are cut where more than so many bytes would be under way at once. */
export class Scenarios {
  readonly all: readonly Scenario[]
  /** Values of the gets and sets that the goals are about. */
  readonly #ofGoals: readonly string[]

  constructor(mostBytes: number, ofGoals: readonly string[]) {
    this.#ofGoals = ofGoals
    this.all = operations.flatMap(scenariosOf).filter((scenario) => bytesAtOnce(scenario) <= mostBytes)
  }

  /** All rows; `quick`: those that the goals are about. */
  rows({ quick }: SuiteContext): Row[] {
    const scenarios = quick ? this.all.filter((scenario) => this.#isGoal(scenario)) : this.all
    return scenarios.map(rowOf)
  }

  /** The names of the rows of these operations. */
  named(able: readonly OperationName[]): string[] {
    return this.all.filter(({ operation }) => able.includes(operation)).map(rowName)
  }

  of(row: string): Scenario {
    const found = this.all.find((scenario) => rowName(scenario) === row)
    if (found === undefined) throw new Error(`no row '${row}'`)
    return found
  }

  #isGoal({ operation, value, concurrency }: Scenario): boolean {
    if (operation === 'get' || operation === 'set') {
      return this.#ofGoals.includes(value) && (concurrency === 1 || concurrency === 100)
    }
    return (value === '200 B' || value === 'counter') && concurrency === 100
  }
}

export function rowOf(scenario: Scenario): Row {
  const unit = scenario.operation.endsWith('Many') ? 'keys/s' : 'op/s'
  return { name: rowName(scenario), unit, better: 'higher', work: 1 }
}

function scenariosOf(operation: OperationName): Scenario[] {
  if (operation === 'increment') return forEach(operation, ['counter'])
  const single = operation === 'get' || operation === 'set'
  return forEach(operation, single ? ['integer', 'small object', ...texts] : texts)
}

function bytesAtOnce({ operation, value, concurrency }: Scenario): number {
  const bytes = { '10 KB': 10_000, '200 KB': 200_000 }[value] ?? 200
  return bytes * concurrency * (operation.endsWith('Many') ? batchSize : 1)
}

function forEach(operation: OperationName, values: readonly string[]): Scenario[] {
  return values.flatMap((value) => concurrencies.map((concurrency) => ({ operation, value, concurrency })))
}
