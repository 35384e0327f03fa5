import type { ItemIndex } from '../index/item-index.ts'
import type { EvictionPolicy } from '../index/schema.ts'

/** How many items may wait to be touched before a write is worth its while. */
const enough = 1000
/** Written in one transaction, so that touching never makes a turn long. */
const atOnce = 500

interface Touch {
  at: number
  times: number
}

/**
 * Reads that the policy must know of. Writing each would cost as much as a `set`, so they wait here for the next write, and
 * what waits when the process dies is lost: a policy is a guess in any case.
 */
export class Touches {
  readonly #needed: boolean
  readonly #waiting = new Map<number, Touch>()
  #applied: [number, Touch][] = []

  constructor(policy: EvictionPolicy) {
    this.#needed = policy === 'lru' || policy === 'lfu'
  }

  /** Whether so many wait that they deserve a write of their own. */
  get full(): boolean {
    return this.#waiting.size >= enough
  }

  get size(): number {
    return this.#waiting.size
  }

  note(id: number, at: number): void {
    if (!this.#needed) return
    const touch = this.#waiting.get(id)
    if (touch === undefined) this.#waiting.set(id, { at, times: 1 })
    else {
      touch.at = at
      touch.times += 1
    }
  }

  /** Writes what waits, or all of it where the choice of victims depends on it. */
  apply(index: ItemIndex, all: boolean): void {
    if (this.#waiting.size === 0) return
    let left = all ? Infinity : atOnce
    for (const [id, touch] of this.#waiting) {
      if (left-- <= 0) break
      index.touch(id, touch.at, touch.times)
      this.#waiting.delete(id)
      this.#applied.push([id, touch])
    }
  }

  committed(): void {
    if (this.#applied.length > 0) this.#applied = []
  }

  rolledBack(): void {
    for (const [id, touch] of this.#applied) if (!this.#waiting.has(id)) this.#waiting.set(id, touch)
    this.#applied = []
  }

  forget(): void {
    this.#waiting.clear()
    this.#applied = []
  }
}
