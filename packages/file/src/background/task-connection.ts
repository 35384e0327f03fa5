import type { SqlValue } from '../index/sqlite.ts'

/** A connection for long statements. Calls run in their order; each rejects with the error of SQLite. */
export interface TaskConnection {
  /** Runs statements without rows. */
  exec(sql: string): Promise<void>
  /** The rows of one statement. */
  all(sql: string, ...values: SqlValue[]): Promise<readonly unknown[]>
}

/** Runs statements on the index at a path. One connection is open at a time. */
export interface StatementRunner {
  /** The connection to that index, which is opened by its first statement. */
  connect(path: string): TaskConnection
  /** Closes the open connection, if any. */
  disconnect(): Promise<void>
}

/** Automatic checkpoints are off, because `Checkpointer` runs them. */
export const taskPragmas = 'pragma wal_autocheckpoint = 0; pragma synchronous = normal'

/** Milliseconds that a statement waits for a lock. */
export const taskBusyTimeout = 5000
