import type { Statement } from './statement.ts'

/** A row as the server sent it: texts in the order of the columns. Bytes are hexadecimal, or bytes where the session can. */
export type Row = readonly (string | Buffer | null)[]

export type Parameter = string | number | boolean | null | Buffer

/** Runs one statement. Rejects with a `CacheError`: `TIMEOUT` when no answer came within `timeout` milliseconds, `UNAVAILABLE` when there is no connection, or what the server's error means. */
export type Run = (
  statement: Statement,
  values: readonly Parameter[],
  operation: string,
  timeout: number,
) => Promise<Row[]>

/** Where statements run: a pool, one client, or pipelined clients. */
export interface Session {
  readonly run: Run
  /** What a statement itself must set as its short limit for waiting for locks, such as `'125ms'`; `null` where it is set already, or must not be. */
  readonly lockTimeout: string | null
  /** Runs several statements on one connection, which nobody else uses meanwhile. */
  exclusive<Result>(work: (run: Run) => Promise<Result>, operation: string, timeout: number): Promise<Result>
  /** Ends what the session itself opened. */
  close(): Promise<void>
}
