import { type Call, millisecond, type Note, type Request } from '../../src/history/record/call.ts'

let count = 0

/** A call of a hand-made history, with instants in milliseconds. */
export function call(
  process: string,
  [start, end]: readonly [number, number],
  area: string,
  request: Request,
  result: unknown = null,
  notes: readonly Note[] = [],
): Call {
  count += 1
  return {
    id: `${process}.${count}`,
    process,
    area,
    request,
    start: start * millisecond,
    end: end * millisecond,
    outcome: 'done',
    result,
    error: undefined,
    notes: notes.map(({ at, ...rest }) => ({ ...rest, at: at * millisecond })),
  }
}

/** The same call with an error in place of its result. */
export function failed(one: Call, error = 'TIMEOUT'): Call {
  return { ...one, outcome: 'failed', result: undefined, error }
}

/** The same call of a process that was killed meanwhile. */
export function unfinished(one: Call): Call {
  return { ...one, outcome: 'open', result: undefined, end: Infinity }
}
