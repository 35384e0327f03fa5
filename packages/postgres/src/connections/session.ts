import type { Statement } from './statement.ts'

/**
 * A row of a result: its columns as texts, in order. A column of bytes is hexadecimal text, or bytes where the session
 * can read them.
 */
export type ResultRow = readonly (string | Buffer | null)[]

export type Parameter = string | number | boolean | null | Buffer

/**
 * Runs one statement for the method of the backend that `method` names. Rejects with a `CacheError`: `TIMEOUT` when no
 * reply came within `timeout` milliseconds, `UNAVAILABLE` without a connection, or the code of the server's error.
 *
 * `mayWait` says that the statement may wait long for locked rows. Then no other statement is sent behind it on the same
 * connection, where it would wait too.
 */
export type Run = (
  statement: Statement,
  values: readonly Parameter[],
  method: string,
  timeout: number,
  mayWait?: boolean,
) => Promise<ResultRow[]>

/** The connections that statements run on: a pool, one client, or connections that this package opened. */
export interface Session {
  readonly run: Run
  /**
   * The short limit for locked rows that each statement must set, such as `'125ms'`; `null` where the session has set
   * it already, or where no setting is allowed.
   */
  readonly lockTimeout: string | null
  /** Runs several statements on one connection that no other call uses meanwhile. */
  exclusive<Result>(work: (run: Run) => Promise<Result>, method: string, timeout: number): Promise<Result>
  /** Closes the connections that the session itself opened. */
  close(): Promise<void>
}
