import { checkOptions, invalidArgument, wholeNumber } from '../protocol/argument.ts'
import type { CacheBackend } from '../protocol/backend.ts'
import { CacheError } from '../protocol/cache-error.ts'
import { type Duration, milliseconds } from '../protocol/duration.ts'
import type { Context } from './context.ts'
import type { QueuedChange, WriterPort } from './scope.ts'
import { WriteJournal } from './write-journal.ts'
import type { Writer, WriterEntry } from './writer.ts'

/** How writes wait, in `writeMode: 'behind'`. */
export interface WriteBehindOptions {
  /** Keys in one batch. Default 100. */
  readonly batchSize?: number
  /** How long a write waits for others. Default `'100ms'`. */
  readonly delay?: Duration
  /** Keys that may wait. Default 10,000. */
  readonly maxQueued?: number
  /** What a write does while that many wait: `'wait'` until there is room, or `'reject'` with `QUEUE_FULL`. Default `'wait'`. */
  readonly whenFull?: 'wait' | 'reject'
  /** The first pause after a failed batch; it doubles up to 30 seconds. Default `'100ms'`. */
  readonly retryDelay?: Duration
  /** Tries of a batch before it is given up with a `writeFailed` event. Default: no end, until `close`, which makes five. */
  readonly maxAttempts?: number
  /**
   * A backend that outlives the process (such as `FileBackend`) and that no other process uses at the same time. A write is
   * acknowledged once it stands there, and leaves it when the database has it; what a killed process left is written by the next
   * one. Needs `swap` and `keys`. Default: none, and what waits is lost with the process.
   */
  readonly journal?: CacheBackend
}

const longestPause = 30_000
const attemptsAtClose = 5

/**
 * Writes to the application's database in batches, after the call has resolved. Changes of one key coalesce, and batches go one
 * after the other, so that the database never sees an older value after a newer one.
 */
export class WriteBehind implements WriterPort {
  readonly #writer: Writer
  readonly #context: Context
  readonly #batchSize: number
  readonly #delay: number
  readonly #maxQueued: number
  readonly #whenFull: 'wait' | 'reject'
  readonly #retryDelay: number
  readonly #maxAttempts: number
  readonly #journal: WriteJournal | undefined
  /** In the order of each key's first change since it was last taken into a batch. */
  readonly #queue = new Map<string, QueuedChange>()
  /** The batch that is being written. */
  #writing: ReadonlyMap<string, QueuedChange> = new Map()
  readonly #waiting: (() => void)[] = []
  readonly #recovered: Promise<void>
  #flushing: Promise<void> | undefined
  #stopTimer: (() => void) | undefined
  #endPause: () => void = () => {}
  #closing = false

  constructor(writer: Writer, options: WriteBehindOptions, context: Context) {
    const operation = 'new Cache'
    checkOptions(
      options,
      ['batchSize', 'delay', 'maxQueued', 'whenFull', 'retryDelay', 'maxAttempts', 'journal'],
      operation,
    )
    this.#writer = writer
    this.#context = context
    this.#batchSize = wholeNumber(options.batchSize ?? 100, 'writeBehind.batchSize', operation, 1)
    this.#delay = milliseconds(options.delay ?? 100, 'writeBehind.delay', operation)
    this.#maxQueued = wholeNumber(options.maxQueued ?? 10_000, 'writeBehind.maxQueued', operation, 1)
    this.#retryDelay = Math.max(1, milliseconds(options.retryDelay ?? 100, 'writeBehind.retryDelay', operation))
    this.#maxAttempts =
      options.maxAttempts === undefined
        ? Infinity
        : wholeNumber(options.maxAttempts, 'writeBehind.maxAttempts', operation, 1)
    this.#whenFull = options.whenFull ?? 'wait'
    if (this.#whenFull !== 'wait' && this.#whenFull !== 'reject') {
      throw invalidArgument('writeBehind.whenFull', options.whenFull, "'wait' or 'reject'", operation)
    }
    this.#journal = options.journal === undefined ? undefined : new WriteJournal(options.journal)
    this.#recovered = this.#recover()
    // Every write waits for this; a failure reaches them.
    this.#recovered.catch((error) => context.degraded(error, operation))
  }

  put(entries: readonly WriterEntry[]): Promise<void> {
    return this.#take(entries.map(({ key, value }) => ({ key, value, deleted: false })))
  }

  remove(keys: readonly string[]): Promise<void> {
    return this.#take(keys.map((key) => ({ key, value: undefined, deleted: true })))
  }

  /** The change of a key that the database does not have yet: a load must not read behind it. */
  queued(key: string): QueuedChange | undefined {
    return this.#queue.get(key) ?? this.#writing.get(key)
  }

  /** Writes what waits. Rejects when the database does not take it; with a journal it stays there for the next process. */
  async close(): Promise<void> {
    this.#closing = true
    this.#endPause()
    await this.#recovered.catch(() => {})
    await this.#flush()
    const left = this.#queue.size
    if (left === 0 || this.#journal !== undefined) return
    throw new CacheError(
      'BACKEND_FAILURE',
      `close: ${left} written values did not reach the database; see the writeFailed events`,
      { operation: 'close' },
    )
  }

  async #take(changes: readonly QueuedChange[]): Promise<void> {
    await this.#recovered
    for (const change of changes) {
      await this.#room(change.key)
      // Journal first: what is acknowledged below is already safe from a crash.
      if (this.#journal !== undefined) await this.#journal.write(change)
      this.#queue.set(change.key, change)
    }
    if (this.#queue.size >= this.#batchSize) void this.#flush()
    else this.#schedule()
  }

  /** A change of a key that waits already takes no more room. */
  async #room(key: string): Promise<void> {
    while (this.#queue.size >= this.#maxQueued && !this.#queue.has(key)) {
      if (this.#whenFull === 'reject' || this.#closing) {
        throw new CacheError('QUEUE_FULL', `${this.#maxQueued} written values wait for the database already`, { key })
      }
      void this.#flush()
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  #schedule(): void {
    if (this.#stopTimer !== undefined || this.#flushing !== undefined) return
    this.#stopTimer = this.#context.settings.clock.after(this.#delay, () => void this.#flush(), true)
  }

  #flush(): Promise<void> {
    this.#stopTimer?.()
    this.#stopTimer = undefined
    this.#flushing ??= this.#writeAll().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  async #writeAll(): Promise<void> {
    while (this.#queue.size > 0) {
      const batch = new Map([...this.#queue].slice(0, this.#batchSize))
      for (const key of batch.keys()) this.#queue.delete(key)
      this.#writing = batch
      const done = await this.#writeBatch(batch)
      this.#writing = new Map()
      if (!done) {
        this.#putBack(batch)
        return
      }
      for (const resume of this.#waiting.splice(0)) resume()
    }
  }

  /** Tries a batch until it is written or given up. Resolves to `false` when `close` cannot wait any longer. */
  async #writeBatch(batch: ReadonlyMap<string, QueuedChange>): Promise<boolean> {
    for (let attempt = 1, atClose = 0; ; attempt += 1) {
      try {
        await this.#hand(batch)
        await this.#journal?.forget([...batch.values()])
        return true
      } catch (error) {
        if (this.#closing) atClose += 1
        const willRetry = attempt < this.#maxAttempts && atClose < attemptsAtClose
        this.#tell([...batch.keys()], error, willRetry)
        if (!willRetry) return await this.#giveUp(batch, attempt)
      }
      await this.#pause(Math.min(longestPause, this.#retryDelay * 2 ** (attempt - 1)))
    }
  }

  async #giveUp(batch: ReadonlyMap<string, QueuedChange>, attempt: number): Promise<boolean> {
    if (attempt < this.#maxAttempts) return false
    await this.#journal?.forget([...batch.values()])
    return true
  }

  async #hand(batch: ReadonlyMap<string, QueuedChange>): Promise<void> {
    const changes = [...batch.values()]
    const entries = changes.filter(({ deleted }) => !deleted).map(({ key, value }) => ({ key, value }))
    const keys = changes.filter(({ deleted }) => deleted).map(({ key }) => key)
    if (entries.length > 0) await this.#writer.write(entries)
    if (keys.length > 0) await this.#writer.delete(keys)
  }

  /** What could not be written, in front of what came since, unless a newer change of the same key waits. */
  #putBack(batch: ReadonlyMap<string, QueuedChange>): void {
    const newer = [...this.#queue]
    this.#queue.clear()
    for (const [key, change] of [...batch, ...newer]) this.#queue.set(key, change)
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#context.settings.clock.after(ms, resolve, true)
      this.#endPause = () => {
        stop()
        resolve()
      }
    })
  }

  async #recover(): Promise<void> {
    if (this.#journal === undefined) return
    for (const change of await this.#journal.read()) this.#queue.set(change.key, change)
    if (this.#queue.size > 0) this.#schedule()
  }

  #tell(keys: readonly string[], error: unknown, willRetry: boolean): void {
    const { listeners, segments } = this.#context
    if (listeners.has('writeFailed')) listeners.emit('writeFailed', { keys, error, willRetry, namespace: segments })
  }
}
