import type { CacheBackend } from '../../protocol/backend.ts'
import type { Duration } from '../../protocol/duration.ts'

/** One value on its way to the application's database. */
export interface WriterEntry<Value = unknown> {
  /**
   * The key, if it belongs to the cache itself; one that begins with `@` gets a second one. The key `42` of the namespace `users`
   * within the cache is `@/users/:42`, so that no two keys are ever the same.
   */
  readonly key: string
  readonly value: Value
}

/**
 * The application's own database behind a cache. Rejecting means that the whole batch may have to be written again. Calls have time
 * limits of their own: one that never ends holds up the writes behind it, and `close`.
 */
export interface Writer<Value = unknown> {
  write(entries: readonly WriterEntry<Value>[]): Promise<void> | void
  delete(keys: readonly string[]): Promise<void> | void
}

/** Options of `writeMode: 'behind'`. */
export interface WriteBehindOptions {
  /** Keys in one batch. A batch that fails is written key by key, so a refused change holds up no other. Default 100. */
  readonly batchSize?: number | undefined
  /** How long a write waits for others. Default `'100ms'`. */
  readonly delay?: Duration | undefined
  /** Keys that may wait. Default 10,000. */
  readonly maxQueued?: number | undefined
  /** The effect of a full queue on a write: `'wait'` until there is room, or `'reject'` with `QUEUE_FULL`. Default `'wait'`. */
  readonly whenFull?: 'wait' | 'reject' | undefined
  /** The first pause after a failed batch; it doubles up to 30 seconds, until one succeeds. Default `'100ms'`. */
  readonly retryDelay?: Duration | undefined
  /**
   * Attempts for a change, the last one by itself, before it is given up with a `writeFailed` event. Default: no limit until `close`,
   * which gives up after five failures in a row.
   */
  readonly maxAttempts?: number | undefined
  /**
   * How long `close` waits for a writer that does not answer. Then it rejects, and an event `writeFailed` names the keys that were not
   * written; with a journal they stay there for the next process. Default `'30s'`.
   */
  readonly closeTimeout?: Duration | undefined
  /**
   * A backend that outlives the process (such as `FileBackend`) and that no other process uses at the same time. A write is
   * acknowledged once it is in the journal, and removed from there once the database has it. The next process writes the changes of a
   * killed one. The journal must not be the backend of the cache, which `clear` empties, and must not evict: `FileBackend` needs
   * `policy: 'none'`. The cache does not close it. Needs `compareAndSet` and `keys`.
   * Default: none; waiting changes are lost with the process.
   */
  readonly journal?: CacheBackend | undefined
}
