import { parseArgs } from 'node:util'
import { type StoreName, storeNames } from './run/stores.ts'

export interface HistoryOptions {
  /** Seconds of calls, of all stores together. */
  readonly duration: number
  readonly seed: number
  readonly stores: readonly StoreName[]
  readonly processes: number
}

export const usage: string = `usage: pnpm bench history [--duration SECONDS] [--seed N] [--backend NAME]… [--processes 2|3|4]
backends: ${storeNames.join(', ')}`

/** Reads the arguments after the name of the program. Throws an `Error` with the fault in its message. */
export function readHistoryOptions(argv: readonly string[]): HistoryOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      duration: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      backend: { type: 'string', multiple: true, default: [...storeNames] },
      processes: { type: 'string', default: '3' },
    },
  })
  return {
    duration: numberBetween(values.duration, '--duration', 1, 86_400),
    seed: numberBetween(values.seed, '--seed', 0, 2 ** 31),
    stores: values.backend.map(checkedStore),
    processes: numberBetween(values.processes, '--processes', 2, 4),
  }
}

function numberBetween(given: string, name: string, least: number, most: number): number {
  const number = Number(given)
  if (given.trim() === '' || !Number.isInteger(number) || number < least || number > most) {
    throw new Error(`${name} must be a whole number between ${least} and ${most}, but was '${given}'\n${usage}`)
  }
  return number
}

function checkedStore(given: string): StoreName {
  const store = storeNames.find((name) => name === given)
  if (store === undefined) throw new Error(`unknown backend '${given}'\n${usage}`)
  return store
}
