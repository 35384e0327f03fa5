import type { Clock } from '../protocol/clock.ts'

/** The limits of one call. */
export interface ScanLimits {
  /** Keys of the store that one call looks at. */
  readonly maxScanned: number
  /** Milliseconds. */
  readonly timeout: number
  readonly clock: Required<Clock>
}

/** How many keys of a synchronous store are looked at between two looks at the clock. */
const keysPerLook = 500

/** An iteration over the keys of a store, which goes on where the last call stopped. */
export class KeyScan {
  readonly #iterator: Iterator<string> | AsyncIterator<string>
  readonly #limits: ScanLimits
  /** A step that did not end in time. The next call begins with its result. */
  #pending: Promise<IteratorResult<string>> | undefined
  isComplete = false

  constructor(keys: Iterable<string> | AsyncIterable<string>, limits: ScanLimits) {
    this.#limits = limits
    this.#iterator = Symbol.asyncIterator in keys ? keys[Symbol.asyncIterator]() : keys[Symbol.iterator]()
  }

  /** Looks at keys until `visit` returns `false` or a limit is reached. Resolves to the number of keys. */
  async advance(visit: (key: string) => boolean): Promise<number> {
    const { clock, timeout, maxScanned } = this.#limits
    const end = clock.now() + timeout
    let stop = (): void => {}
    const late = new Promise<undefined>((resolve) => {
      stop = clock.after(timeout, () => resolve(undefined), true)
    })
    let scanned = 0
    try {
      while (scanned < maxScanned) {
        if (scanned % keysPerLook === 0 && scanned > 0 && clock.now() >= end) break
        const step = await this.#step(late)
        if (step === undefined) break
        if (step.done === true) {
          this.isComplete = true
          break
        }
        scanned += 1
        if (!visit(step.value)) break
      }
    } finally {
      stop()
    }
    return scanned
  }

  /** Ends the iteration. Not waited for: a step that hangs would hold the caller. */
  close(): void {
    if (this.isComplete) return
    Promise.resolve(this.#iterator.return?.()).catch(() => {})
  }

  /** The next key, or `undefined` where it does not come in time. */
  #step(late: Promise<undefined>): Promise<IteratorResult<string> | undefined> | IteratorResult<string> {
    if (this.#pending === undefined) {
      const step = this.#iterator.next()
      if (!(step instanceof Promise)) return step
      this.#pending = step
    }
    const own = this.#pending
    return Promise.race([own, late]).then(
      (step) => {
        if (step !== undefined) this.#pending = undefined
        return step
      },
      (error) => {
        this.#pending = undefined
        throw error
      },
    )
  }
}
