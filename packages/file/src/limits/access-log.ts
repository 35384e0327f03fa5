import type { ItemIndex } from '../index/item-index.ts'
import type { EvictionPolicy } from '../index/schema.ts'

/** From this number of waiting entries on, a write of its own is worth its cost. */
const fullAt = 1000
/** Entries that one transaction writes, so that it stays short. */
const entriesPerWrite = 500

interface Access {
  at: number
  count: number
}

/**
 * Reads that the eviction policy must know. To write each of them would cost as much as a `set`, so they wait for the
 * next write. A process that dies loses the waiting ones, which only makes the policy less exact.
 */
export class AccessLog {
  readonly #isNeeded: boolean
  readonly #waiting = new Map<number, Access>()
  /** Entries written by a transaction that has not committed yet. */
  #uncommitted: [number, Access][] = []

  constructor(policy: EvictionPolicy) {
    this.#isNeeded = policy === 'lru' || policy === 'lfu'
  }

  /** Whether the waiting entries deserve a write of their own. */
  get isFull(): boolean {
    return this.#waiting.size >= fullAt
  }

  get size(): number {
    return this.#waiting.size
  }

  add(id: number, at: number): void {
    if (!this.#isNeeded) return
    const access = this.#waiting.get(id)
    if (access === undefined) this.#waiting.set(id, { at, count: 1 })
    else {
      access.at = at
      access.count += 1
    }
  }

  /** Writes a part of the entries to the index, or all of them when an eviction depends on them. */
  write(index: ItemIndex, all: boolean): void {
    if (this.#waiting.size === 0) return
    let left = all ? Infinity : entriesPerWrite
    for (const [id, access] of this.#waiting) {
      if (left <= 0) break
      left -= 1
      index.addAccesses(id, access.at, access.count)
      this.#waiting.delete(id)
      this.#uncommitted.push([id, access])
    }
  }

  committed(): void {
    if (this.#uncommitted.length > 0) this.#uncommitted = []
  }

  rolledBack(): void {
    for (const [id, access] of this.#uncommitted) if (!this.#waiting.has(id)) this.#waiting.set(id, access)
    this.#uncommitted = []
  }

  clear(): void {
    this.#waiting.clear()
    this.#uncommitted = []
  }
}
