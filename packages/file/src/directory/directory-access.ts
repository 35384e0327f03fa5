import type { CallQueue } from '../calls/call-queue.ts'
import type { Settings } from '../options.ts'
import type { ValueFiles } from '../values/value-files.ts'

/** The part of an open directory that calls on items and messages need. */
export interface DirectoryAccess {
  readonly settings: Settings
  readonly queue: CallQueue
  readonly values: ValueFiles
  now(): number
  /**
   * Opens the index for writing unless it is open: a value file is written before its row. Rejects with `READ_ONLY`.
   */
  prepare(): Promise<void>
  /** Notes a read for the eviction policy. */
  noteRead(id: number, now: number): void
  /** Emits an `error` event for a failure that no caller gets. */
  report(error: unknown, method: string): void
}
