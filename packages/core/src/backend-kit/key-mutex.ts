import { isPromise, type MaybePromise, promiseOf } from './maybe-promise.ts'

/** A mutex for each key, within this process. Holders of one key follow one another in the order of their requests. */
export class KeyMutex {
  readonly #last = new Map<string, Promise<void>>()

  /** The number of keys that are held. */
  get size(): number {
    return this.#last.size
  }

  /** Whether the key is held. */
  has(key: string): boolean {
    return this.#last.has(key)
  }

  /** Takes the key: at once when it is free. The result is the function that releases it; a second call of it does nothing. */
  take(key: string): MaybePromise<() => void> {
    const before = this.#last.get(key)
    let free = (): void => {}
    const mine = new Promise<void>((resolve) => {
      free = resolve
    })
    this.#last.set(key, mine)
    const release = (): void => {
      if (this.#last.get(key) === mine) this.#last.delete(key)
      free()
    }
    return before === undefined ? release : before.then(() => release)
  }

  /** Runs `work` while it holds the key. A free key starts `work` at once. */
  run<Result>(key: string, work: () => MaybePromise<Result>): Promise<Result> {
    const taken = this.take(key)
    return isPromise(taken) ? taken.then((release) => runAndRelease(work, release)) : runAndRelease(work, taken)
  }
}

function runAndRelease<Result>(work: () => MaybePromise<Result>, release: () => void): Promise<Result> {
  return promiseOf(work).finally(release)
}
