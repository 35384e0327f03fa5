import { cacheErrorCode } from '@cache/core/backend'
import { fileError } from '../errors.ts'
import type { ItemIndex } from '../index/item-index.ts'

/**
 * What an operation does to the index. It may run again when the transaction around it was rolled back, so it changes
 * nothing else. A `CacheError` that it throws rejects this operation alone: it is thrown before anything is written.
 */
export type Work<Value> = (index: ItemIndex, now: number) => Value

/** One call that waits for its turn at the index. */
export class Operation<Value = unknown> {
  readonly name: string
  /** The key or keys that it concerns; `undefined` where it concerns any. */
  readonly keys: string | readonly string[] | undefined
  readonly writes: boolean
  readonly promise: Promise<Value>
  /** When it was asked for, by the monotonic clock. */
  readonly since: number
  /** How often the index broke under it. */
  attempts = 0
  readonly #work: Work<Value>
  #resolve!: (value: Value) => void
  #reject!: (error: unknown) => void
  #value: Value | undefined
  #failure: unknown

  constructor(name: string, keys: string | readonly string[] | undefined, writes: boolean, work: Work<Value>) {
    this.name = name
    this.keys = keys
    this.writes = writes
    this.#work = work
    this.since = performance.now()
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  get key(): string | undefined {
    return typeof this.keys === 'string' ? this.keys : undefined
  }

  /** Does the work and keeps the outcome until `settle`. Failures of SQLite are thrown: they concern the whole transaction. */
  run(index: ItemIndex, now: number): void {
    this.#failure = undefined
    try {
      this.#value = this.#work(index, now)
    } catch (error) {
      if (cacheErrorCode(error) === undefined) throw error
      this.#failure = fileError(error, this.name, this.key)
    }
  }

  /** Tells the caller what `run` came to; called when it is committed. */
  settle(): void {
    if (this.#failure === undefined) this.#resolve(this.#value as Value)
    else this.#reject(this.#failure)
  }

  fail(error: unknown): void {
    this.#reject(fileError(error, this.name, this.key))
  }
}
