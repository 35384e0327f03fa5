import type { MaybePromise } from './steps.ts'

/**
 * Operations of this process on one key, one after the other where they ask for it: so that they do not fail each other's
 * compare-and-set, and reach the application's database in the order in which they reach the cache.
 */
export class KeyMutex {
  readonly #last = new Map<string, Promise<void>>()

  /** The function that ends the turn, at once where nobody is before. Calling it again does nothing. */
  take(key: string): MaybePromise<() => void> {
    const before = this.#last.get(key)
    let settle = (): void => {}
    const mine = new Promise<void>((resolve) => {
      settle = resolve
    })
    this.#last.set(key, mine)
    const end = (): void => {
      if (this.#last.get(key) === mine) this.#last.delete(key)
      settle()
    }
    return before === undefined ? end : before.then(() => end)
  }
}
