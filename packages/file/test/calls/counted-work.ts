import { DatabaseSync, StatementSync } from 'node:sqlite'
import { vi } from 'vitest'

/**
 * Milliseconds of the counted time for one row that SQLite reads or changes, and for one byte that crosses from or to
 * it.
 */
const msPerRow = 0.01
const msPerByte = 1e-6

/**
 * The last instant of the counted time, which must never go back: the backend remembers instants between two
 * measurements.
 */
let lastNow = 0

/** The work of this thread between two moments in which the event loop ran other callbacks. */
export interface Slice {
  /** The time of the work, by its rows and bytes alone. */
  ms: number
  rows: number
  bytes: number
}

/**
 * Counts the work that SQLite does in this thread while `work` runs, and makes `performance.now` advance by that work
 * alone. The result is the largest slice. It does not depend on the speed or the load of the machine.
 */
export async function largestSlice(work: () => Promise<unknown>): Promise<Slice> {
  const largest: Slice = { ms: 0, rows: 0, bytes: 0 }
  let slice: Slice = { ms: 0, rows: 0, bytes: 0 }
  let now = Math.max(performance.now(), lastNow)
  const count = (rows: number, bytes: number): void => {
    slice.rows += rows
    slice.bytes += bytes
    slice.ms = slice.rows * msPerRow + slice.bytes * msPerByte
    now += rows * msPerRow + bytes * msPerByte
  }
  const restore = [
    vi.spyOn(performance, 'now').mockImplementation(() => now),
    countCalls('run', (result) => Number((result as { changes: number | bigint }).changes), count),
    countCalls('get', countOf, count),
    countCalls('all', (rows) => (rows as unknown[]).length, count),
  ]
  const exec = DatabaseSync.prototype.exec
  restore.push(
    vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql: string) {
      count(1, sql.length)
      return exec.call(this, sql)
    }),
  )
  let running = true
  const endSlice = (): void => {
    for (const unit of ['ms', 'rows', 'bytes'] as const) largest[unit] = Math.max(largest[unit], slice[unit])
    slice = { ms: 0, rows: 0, bytes: 0 }
  }
  const watch = (): void => {
    endSlice()
    if (running) setImmediate(watch)
  }
  setImmediate(watch)
  try {
    await work()
  } finally {
    running = false
    lastNow = now
    for (const spy of restore) spy.mockRestore()
  }
  endSlice()
  return largest
}

/** The rows that a `get` stands for: one, or as many as its `count(*)` says. */
function countOf(row: unknown): number {
  const count = (row as { count?: number } | undefined)?.count
  return typeof count === 'number' ? count : 1
}

function countCalls(
  method: 'run' | 'get' | 'all',
  rowsOf: (result: unknown) => number,
  count: (rows: number, bytes: number) => void,
): { mockRestore(): void } {
  const original = StatementSync.prototype[method] as (...values: unknown[]) => unknown
  return vi.spyOn(StatementSync.prototype, method).mockImplementation(function (
    this: StatementSync,
    ...values: unknown[]
  ) {
    const result = original.apply(this, values)
    count(1 + rowsOf(result), bytesOf(values) + bytesOf(result))
    return result
  } as never)
}

function bytesOf(value: unknown): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return value.length
  if (value === null || typeof value !== 'object') return 0
  return Object.values(value).reduce<number>((sum, member) => sum + bytesOf(member), 0)
}
