import type { MaybePromise } from '../../backend-kit/maybe-promise.ts'
import type { BackendPart } from '../../protocol/backend.ts'
import type { WriterEntry } from '../options/writer.ts'

/** A change that is on its way to the application's database. */
export interface QueuedChange {
  readonly key: string
  readonly value: unknown
  readonly deleted: boolean
}

/** The application's database behind the cache, as the operations see it. */
export interface WriterPort {
  /** Whether the database gets a change only after the call has resolved. */
  readonly behind: boolean
  put(entries: readonly WriterEntry[]): MaybePromise<void>
  remove(keys: readonly string[]): MaybePromise<void>
  /** Resolves to the change of this key that the database does not have yet. */
  queued(key: string): MaybePromise<QueuedChange | undefined>
  /** The state of the queue, where there is one. */
  describe(): BackendPart | undefined
  /** From now on nothing waits for room: `close` follows. */
  end(): void
  /** Resolves when everything that was taken on is written. */
  close(): Promise<void>
}
