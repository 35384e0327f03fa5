import { parseArgs } from 'node:util'

export interface CommandLine {
  readonly suite: string
  readonly args: readonly string[]
  readonly json: string | undefined
  readonly quick: boolean
  readonly candidates: readonly string[]
  readonly rows: readonly string[]
  readonly repetitions: number | undefined
}

/** Reads the command line. Throws an `Error` with the fault in its message. */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      json: { type: 'string' },
      quick: { type: 'boolean', default: false },
      candidate: { type: 'string', multiple: true, default: [] },
      row: { type: 'string', multiple: true, default: [] },
      repetitions: { type: 'string' },
    },
  })
  const [suite = '', ...args] = positionals
  const { json, quick, candidate: candidates, row: rows } = values
  return { suite, args, json, quick, candidates, rows, repetitions: repetitionsOf(values.repetitions) }
}

function repetitionsOf(given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const count = Number(given)
  if (!Number.isInteger(count) || count < 1) {
    throw new Error(`--repetitions must be a whole number of 1 or more, but was '${given}'`)
  }
  return count
}
