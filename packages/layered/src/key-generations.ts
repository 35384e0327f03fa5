import { isPromise, type MaybePromise } from '@cache/core/backend'

/**
 * What is known of a key while operations on it are under way. `generation` moves whenever the authority's item may have changed,
 * so a read that began before brings its answer back in vain (RACES R6, R7). `tail` is the last near write that was begun:
 * near writes of one key run one after the other, so that a removal never overtakes a promotion.
 */
export class Fence {
  epoch = 0
  users = 0
  tail: Promise<void> | undefined
}

/** The fences of the keys that have operations under way; nothing is kept for the others. */
export class KeyFences {
  readonly #fences = new Map<string, Fence>()

  enter(key: string): Fence {
    let fence = this.#fences.get(key)
    if (fence === undefined) {
      fence = new Fence()
      this.#fences.set(key, fence)
    }
    fence.users += 1
    return fence
  }

  leave(key: string, fence: Fence): void {
    fence.users -= 1
    if (fence.users === 0) this.#fences.delete(key)
  }

  bump(key: string): void {
    const fence = this.#fences.get(key)
    if (fence !== undefined) fence.epoch += 1
  }

  bumpPrefix(prefix: string): void {
    for (const [key, fence] of this.#fences) if (key.startsWith(prefix)) fence.epoch += 1
  }

  /** The near writes under way for keys with this prefix. */
  tails(prefix: string): Promise<void>[] {
    const tails: Promise<void>[] = []
    for (const [key, fence] of this.#fences) {
      if (fence.tail !== undefined && key.startsWith(prefix)) tails.push(fence.tail)
    }
    return tails
  }

  /** Runs the step after every step of this key that was begun before: at once, without a promise, where nothing waits. */
  run(fence: Fence, step: () => MaybePromise<void>): MaybePromise<void> {
    const done = fence.tail === undefined ? step() : fence.tail.then(step)
    if (!isPromise(done)) return
    const tail = done.finally(() => {
      if (fence.tail === tail) fence.tail = undefined
    })
    fence.tail = tail
    return tail
  }
}
