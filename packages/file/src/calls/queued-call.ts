import { cacheErrorCode } from '@cache/core/backend'
import { fileError } from '../errors.ts'
import type { ItemIndex } from '../index/item-index.ts'

/**
 * The part of a call that uses the index. It may run again after a rollback, so it changes nothing besides the index. A
 * `CacheError` that it throws rejects this call alone, so it throws before its first write.
 */
export type Work<Value> = (index: ItemIndex, now: number) => Value

/** The key or keys that a call concerns; `undefined` when it may concern any key. */
export type CallKeys = string | readonly string[] | undefined

/** One call that waits in the queue for the index. */
export class QueuedCall<Value = unknown> {
  readonly method: string
  readonly keys: CallKeys
  readonly writes: boolean
  readonly isRemoval: boolean
  readonly promise: Promise<Value>
  /** The time of the call, by the monotonic clock. */
  readonly calledAt: number
  /** The number of times that the index failed while the call ran. */
  failedAttempts = 0
  /** The number of times that the disk was full while the call ran. */
  fullAttempts = 0
  readonly #work: Work<Value>
  #resolve!: (value: Value) => void
  #reject!: (error: unknown) => void
  #value: Value | undefined
  #failure: unknown

  constructor(method: string, keys: CallKeys, kind: 'read' | 'write' | 'removal', work: Work<Value>) {
    this.method = method
    this.keys = keys
    this.writes = kind !== 'read'
    this.isRemoval = kind === 'removal'
    this.#work = work
    this.calledAt = performance.now()
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  get key(): string | undefined {
    return typeof this.keys === 'string' ? this.keys : undefined
  }

  /**
   * Runs the work and keeps its outcome for `deliver`. A failure of SQLite is thrown, because it fails the whole
   * transaction.
   */
  run(index: ItemIndex, now: number): void {
    this.#failure = undefined
    try {
      this.#value = this.#work(index, now)
    } catch (error) {
      if (cacheErrorCode(error) === undefined) throw error
      this.#failure = fileError(error, this.method, this.key)
    }
  }

  /** Settles the promise with the outcome of `run`, after the commit. */
  deliver(): void {
    if (this.#failure === undefined) this.#resolve(this.#value as Value)
    else this.#reject(this.#failure)
  }

  reject(error: unknown): void {
    this.#reject(fileError(error, this.method, this.key))
  }
}
