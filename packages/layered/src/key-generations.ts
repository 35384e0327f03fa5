import { isPromise, type MaybePromise } from '@cache/core/backend'

/** The state of a key while operations on it are under way. */
export class KeyGeneration {
  /**
   * A counter that moves whenever the authority's item may have changed. A read that began at an earlier count does not
   * copy its result (RACES R6, R7).
   */
  count = 0
  /** Operations under way. */
  users = 0
  /** The last near write of the key that has begun and not ended. */
  lastWrite: Promise<void> | undefined
}

/** The generations of the keys with operations under way. Other keys have none. */
export class KeyGenerations {
  readonly #generations = new Map<string, KeyGeneration>()

  /** Begins an operation on the key. Each call needs one `leave`. */
  enter(key: string): KeyGeneration {
    let generation = this.#generations.get(key)
    if (generation === undefined) {
      generation = new KeyGeneration()
      this.#generations.set(key, generation)
    }
    generation.users += 1
    return generation
  }

  leave(key: string, generation: KeyGeneration): void {
    generation.users -= 1
    if (generation.users === 0) this.#generations.delete(key)
  }

  /** Keeps the results of operations that are under way from being copied. */
  invalidate(key: string): void {
    const generation = this.#generations.get(key)
    if (generation !== undefined) generation.count += 1
  }

  invalidatePrefix(prefix: string): void {
    for (const [key, generation] of this.#generations) if (key.startsWith(prefix)) generation.count += 1
  }

  /** The near writes under way of keys with this prefix. */
  pendingWrites(prefix: string): Promise<void>[] {
    const pending: Promise<void>[] = []
    for (const [key, generation] of this.#generations) {
      if (generation.lastWrite !== undefined && key.startsWith(prefix)) pending.push(generation.lastWrite)
    }
    return pending
  }

  /**
   * Runs a near write after all earlier ones of the key, so that a removal never overtakes a promotion. Without an
   * earlier write it runs at once and needs no promise.
   */
  write(generation: KeyGeneration, write: () => MaybePromise<void>): MaybePromise<void> {
    const done = generation.lastWrite === undefined ? write() : generation.lastWrite.then(write)
    if (!isPromise(done)) return
    const lastWrite = done.finally(() => {
      if (generation.lastWrite === lastWrite) generation.lastWrite = undefined
    })
    generation.lastWrite = lastWrite
    return lastWrite
  }
}
