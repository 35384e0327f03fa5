import type { MaybePromise } from '../../backend-kit/maybe-promise.ts'
import { checkOptions, invalidArgument, wholeNumber } from '../../protocol/argument.ts'
import type { BackendPart } from '../../protocol/backend.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import { milliseconds } from '../../protocol/duration.ts'
import type { QueuedChange, WriterPort } from '../items/writer-port.ts'
import type { WriteBehindOptions, Writer, WriterEntry } from '../options/writer.ts'
import type { CacheState } from '../state/cache-state.ts'
import { warnOfFailedWrite } from '../state/warn-of-failure.ts'
import { WriteJournal } from './write-journal.ts'

const longestPause = 30_000
const attemptsAtClose = 5
/** Number of keys in the error of `close`; the event has all of them. */
const namedKeys = 10

/**
 * Writes to the application's database in batches, after the call has resolved. Changes of one key coalesce, and batches go one
 * after the other, so that the database never sees an older value after a newer one.
 */
export class WriteBehind implements WriterPort {
  readonly behind = true
  readonly #writer: Writer
  readonly #state: CacheState
  readonly #batchSize: number
  readonly #delay: number
  readonly #maxQueued: number
  readonly #whenFull: 'wait' | 'reject'
  readonly #retryDelay: number
  readonly #closeTimeout: number
  readonly #maxAttempts: number
  readonly #journal: WriteJournal | undefined
  /** Waiting changes, in the order of each key's first change since its last batch. */
  readonly #queue = new Map<string, QueuedChange>()
  /** Keys in the next batch: one after a failure, and twice as many after each success. */
  #atOnce: number
  /** Failed tries of the changes that wait. */
  readonly #tries = new WeakMap<QueuedChange, number>()
  /** The batch that is being written. */
  #writing: ReadonlyMap<string, QueuedChange> = new Map()
  /** Number of changes of each key that have room and are being written to the journal. */
  readonly #coming = new Map<string, number>()
  #waiting: (() => void)[] = []
  #recovering: Promise<void> | undefined
  #recovered: boolean
  #flushing: Promise<void> | undefined
  #stopTimer: (() => void) | undefined
  #endPause: () => void = () => {}
  #closing = false
  #stopCloseTimer: () => void = () => {}
  #onGaveUp: () => void = () => {}
  readonly #gaveUpAtClose = new Promise<void>((resolve) => {
    this.#onGaveUp = resolve
  })
  #closed = false
  /** At close: the database does not accept changes any more, and no room will become free. */
  #gaveUp = false
  /** Whether the last batch failed. */
  #fails = false
  /** Called with the keys that an earlier process left. */
  readonly #onRecovered: (keys: readonly string[]) => Promise<void>

  constructor(
    writer: Writer,
    options: WriteBehindOptions,
    state: CacheState,
    onRecovered: (keys: readonly string[]) => Promise<void>,
  ) {
    const operation = 'new Cache'
    checkOptions(
      options,
      ['batchSize', 'delay', 'maxQueued', 'whenFull', 'retryDelay', 'maxAttempts', 'journal', 'closeTimeout'],
      operation,
    )
    this.#writer = writer
    this.#state = state
    this.#onRecovered = onRecovered
    const { batchSize = 100, delay = 100, maxQueued = 10_000, retryDelay = 100, whenFull = 'wait' } = options
    this.#batchSize = wholeNumber(batchSize, 'writeBehind.batchSize', operation, 1)
    this.#atOnce = this.#batchSize
    this.#delay = milliseconds(delay, 'writeBehind.delay', operation)
    this.#maxQueued = wholeNumber(maxQueued, 'writeBehind.maxQueued', operation, 1)
    this.#closeTimeout = milliseconds(options.closeTimeout ?? 30_000, 'writeBehind.closeTimeout', operation)
    this.#retryDelay = Math.max(1, milliseconds(retryDelay, 'writeBehind.retryDelay', operation))
    this.#maxAttempts =
      options.maxAttempts === undefined
        ? Infinity
        : wholeNumber(options.maxAttempts, 'writeBehind.maxAttempts', operation, 1)
    if (whenFull !== 'wait' && whenFull !== 'reject')
      throw invalidArgument('writeBehind.whenFull', whenFull, "'wait' or 'reject'", operation)
    this.#whenFull = whenFull
    this.#journal = options.journal === undefined ? undefined : new WriteJournal(options.journal)
    this.#recovered = this.#journal === undefined
    // A failure reaches the writes, which try again.
    this.#ready()?.catch((error) => state.degraded(error, operation))
  }

  put(entries: readonly WriterEntry[]): Promise<void> {
    return this.#take(entries.map(({ key, value }) => ({ key, value, deleted: false })))
  }

  remove(keys: readonly string[]): Promise<void> {
    return this.#take(keys.map((key) => ({ key, value: undefined, deleted: true })))
  }

  /** The change of a key that the database does not have yet: a load must not read behind it. */
  queued(key: string): MaybePromise<QueuedChange | undefined> {
    const ready = this.#ready()
    if (ready === undefined) return this.#queued(key)
    // Reads go on without the journal; its failure reaches the writes.
    const queued = (): QueuedChange | undefined => this.#queued(key)
    return ready.then(queued, queued)
  }

  #queued(key: string): QueuedChange | undefined {
    return this.#queue.get(key) ?? this.#writing.get(key)
  }

  describe(): BackendPart {
    const pending = this.#queue.size + this.#writing.size
    const isFull = this.#queue.size + this.#coming.size >= this.#maxQueued
    const state: Pick<BackendPart, 'status' | 'message'> = this.#fails
      ? { status: 'degraded', message: 'the last batch did not reach the database; it is tried again' }
      : isFull
        ? { status: 'degraded', message: 'the queue is full' }
        : { status: 'ok' }
    return { kind: 'write-behind', name: 'write-behind', ...state, pending, limit: this.#maxQueued }
  }

  end(): void {
    if (!this.#closing && this.#closeTimeout !== Infinity)
      this.#stopCloseTimer = this.#state.settings.clock.after(this.#closeTimeout, () => this.#giveUp(), true)
    this.#closing = true
    this.#endPause()
    // Calls that wait for room get it as long as the database accepts the changes before them.
    void this.#flush()
  }

  /**
   * Writes the waiting changes. Rejects when the database does not take it, or does not answer within `closeTimeout`; with a journal it stays
   * there for the next process.
   */
  async close(): Promise<void> {
    this.end()
    await Promise.race([this.#drain(), this.#gaveUpAtClose])
    this.#stopCloseTimer()
    this.#closed = true
    const left = [...new Set([...this.#writing.keys(), ...this.#queue.keys()])]
    if (left.length === 0 || this.#journal !== undefined) return
    const some = left.slice(0, namedKeys).map((key) => `'${key}'`)
    const more = left.length > namedKeys ? ` and ${left.length - namedKeys} more` : ''
    throw new CacheError(
      'BACKEND_FAILURE',
      `close: ${left.length} written values did not reach the database (${some.join(', ')}${more}); see the writeFailed events`,
      { operation: 'close', cache: this.#state.settings.name },
    )
  }

  async #drain(): Promise<void> {
    await this.#ready()?.catch(() => {})
    do await this.#flush()
    while (this.#queue.size > 0 && !this.#gaveUp)
  }

  /** The writer did not answer in time: the callers that wait for room, and `close`, wait no longer. */
  #giveUp(): void {
    this.#gaveUp = true
    const keys = [...new Set([...this.#writing.keys(), ...this.#queue.keys()])]
    if (keys.length > 0) {
      const message = `close: the writer did not answer within ${this.#closeTimeout} ms (closeTimeout)`
      this.#tell(
        keys,
        new CacheError('TIMEOUT', message, { operation: 'close', cache: this.#state.settings.name }),
        false,
      )
    }
    this.#wake()
    this.#onGaveUp()
  }

  async #take(changes: readonly QueuedChange[]): Promise<void> {
    await this.#ready()
    for (const change of changes) {
      if (this.#closed) throw new CacheError('CLOSED', 'the queue of writes was closed', { key: change.key })
      await this.#room(change.key)
      try {
        // Journal first: an acknowledged change is then safe from a crash.
        if (this.#journal !== undefined) await this.#journal.write(change)
        this.#queue.set(change.key, change)
      } finally {
        this.#leave(change.key)
      }
    }
    if (this.#queue.size >= this.#batchSize || this.#waiting.length > 0 || this.#closing) void this.#flush()
    else this.#schedule()
  }

  /** Waits for room and takes it. A change of a key that waits already takes no more. */
  async #room(key: string): Promise<void> {
    while (!this.#hasRoom(key)) {
      if (this.#whenFull === 'reject' || this.#gaveUp) {
        throw new CacheError('QUEUE_FULL', `${this.#maxQueued} written values wait for the database already`, { key })
      }
      // The wait begins before the flush, which takes its first batch and frees room synchronously.
      const room = new Promise<void>((resolve) => this.#waiting.push(resolve))
      void this.#flush()
      await room
    }
    // In the same step as the check, or all concurrent calls would pass it.
    this.#coming.set(key, (this.#coming.get(key) ?? 0) + 1)
  }

  #hasRoom(key: string): boolean {
    if (this.#queue.has(key) || this.#coming.has(key)) return true
    return this.#queue.size + this.#coming.size < this.#maxQueued
  }

  #leave(key: string): void {
    const left = (this.#coming.get(key) ?? 1) - 1
    if (left > 0) this.#coming.set(key, left)
    else this.#coming.delete(key)
    // Its journal failed it: the room is free again, and no batch will say so.
    if (!this.#queue.has(key)) this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resume of waiting) resume()
  }

  #schedule(): void {
    if (this.#stopTimer !== undefined || this.#flushing !== undefined) return
    this.#stopTimer = this.#state.settings.clock.after(this.#delay, () => void this.#flush(), true)
  }

  #flush(): Promise<void> {
    this.#stopTimer?.()
    this.#stopTimer = undefined
    this.#flushing ??= this.#writeAll().then((drained) => {
      this.#flushing = undefined
      // What came between the last look at the queue and here found a flush under way, and set no timer.
      if (drained && this.#queue.size > 0) this.#schedule()
    })
    return this.#flushing
  }

  /** Resolves to `false` when `close` cannot wait any longer. */
  async #writeAll(): Promise<boolean> {
    for (let failures = 0, atClose = 0; this.#queue.size > 0; ) {
      const batch = this.#nextBatch()
      this.#writing = batch
      this.#wake()
      const failure = await this.#failureOf(batch)
      this.#writing = new Map()
      this.#fails = failure !== undefined
      if (failure === undefined) {
        failures = 0
        atClose = 0
        this.#atOnce = Math.min(2 * this.#atOnce, this.#batchSize)
        continue
      }
      failures += 1
      if (this.#closing) atClose += 1
      if (await this.#gaveUpOn(batch, failure.error, atClose < attemptsAtClose)) continue
      if (atClose === attemptsAtClose) {
        this.#gaveUp = true
        this.#wake()
        return false
      }
      // A caller waits for `close`, so the pauses start small again.
      const doubled = Math.max(0, (this.#closing ? atClose : failures) - 1)
      await this.#pause(Math.min(longestPause, this.#retryDelay * 2 ** doubled))
    }
    return true
  }

  #nextBatch(): ReadonlyMap<string, QueuedChange> {
    const batch = new Map<string, QueuedChange>()
    for (const [key, change] of this.#queue) {
      batch.set(key, change)
      if (batch.size === this.#atOnce) break
    }
    for (const key of batch.keys()) this.#queue.delete(key)
    return batch
  }

  /** Writes a batch to the database and removes it from the journal. Resolves to the failure, if there was one. */
  async #failureOf(batch: ReadonlyMap<string, QueuedChange>): Promise<{ readonly error: unknown } | undefined> {
    try {
      await this.#hand(batch)
      await this.#journal?.forget([...batch.values()])
      return undefined
    } catch (error) {
      return { error }
    }
  }

  /** What follows from a failure: the batch waits again, or it is a single change that failed too often. Resolves to whether it was given up. */
  async #gaveUpOn(batch: ReadonlyMap<string, QueuedChange>, error: unknown, mayWait: boolean): Promise<boolean> {
    this.#atOnce = 1
    let tries = 0
    for (const change of batch.values()) {
      tries = (this.#tries.get(change) ?? 0) + 1
      this.#tries.set(change, tries)
    }
    const givenUp = batch.size === 1 && tries >= this.#maxAttempts
    if (!givenUp) this.#putBack(batch)
    this.#tell([...batch.keys()], error, mayWait && !givenUp)
    // If it stayed in the journal, the next process would write it over newer changes of this one.
    if (givenUp)
      await this.#journal?.forget([...batch.values()]).catch((failed) => this.#state.degraded(failed, 'writeBehind'))
    return givenUp
  }

  async #hand(batch: ReadonlyMap<string, QueuedChange>): Promise<void> {
    const changes = [...batch.values()]
    const entries = changes.filter(({ deleted }) => !deleted).map(({ key, value }) => ({ key, value }))
    const keys = changes.filter(({ deleted }) => deleted).map(({ key }) => key)
    if (entries.length > 0) await this.#writer.write(entries)
    if (keys.length > 0) await this.#writer.delete(keys)
  }

  /**
   * Puts failed changes in front of later ones, unless a newer change of the same key waits. A change that failed by itself goes
   * behind all others, which may be unrelated to its failure.
   */
  #putBack(batch: ReadonlyMap<string, QueuedChange>): void {
    if (batch.size === 1) {
      for (const [key, change] of batch) if (!this.#queue.has(key)) this.#queue.set(key, change)
      return
    }
    const newer = [...this.#queue]
    this.#queue.clear()
    for (const [key, change] of [...batch, ...newer]) this.#queue.set(key, change)
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#state.settings.clock.after(ms, resolve, true)
      this.#endPause = () => {
        stop()
        resolve()
      }
    })
  }

  /** Resolves when the changes of an earlier process are in the queue; `undefined` once they are. */
  #ready(): Promise<void> | undefined {
    if (this.#recovered) return undefined
    this.#recovering ??= this.#recover().finally(() => {
      this.#recovering = undefined
    })
    return this.#recovering
  }

  async #recover(): Promise<void> {
    const left = (await this.#journal?.read((error) => this.#state.degraded(error, 'writeBehind'))) ?? []
    // First, so that no load reads behind them although the next step fails.
    for (const change of left) this.#queue.set(change.key, change)
    // Killed between journal and cache, it left an older value there.
    await this.#onRecovered(left.map(({ key }) => key))
    this.#recovered = true
    if (this.#queue.size > 0) this.#schedule()
  }

  #tell(keys: readonly string[], error: unknown, willRetry: boolean): void {
    const { listeners, segments, settings } = this.#state
    if (listeners.has('writeFailed')) listeners.emit('writeFailed', { keys, error, willRetry }, segments)
    else warnOfFailedWrite(settings.name, error, willRetry)
  }
}
