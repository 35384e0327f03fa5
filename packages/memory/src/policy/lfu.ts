import type { Policy } from './policy.ts'

/** A doubly linked list of the slots with equally many uses, linked to the groups with fewer and more uses. */
interface Group {
  uses: number
  fewer: Group | undefined
  more: Group | undefined
  front: number
  back: number
}

/**
 * Least frequently used; among equals the least recently used. Counts never age. All steps take constant time: Ketan Shah,
 * Anirban Mitra and Dhruv Matani, "An O(1) algorithm for implementing the LFU cache eviction scheme", 2010.
 */
export class LfuPolicy implements Policy {
  readonly name = 'lfu'
  #newer: Int32Array = new Int32Array(0)
  #older: Int32Array = new Int32Array(0)
  #groups: (Group | undefined)[] = []
  #fewest: Group | undefined = undefined
  /** Empty groups for reuse: hits allocate nothing once there are enough. */
  #freeGroups: Group | undefined = undefined
  /** The newest entry, which is evicted only if it is the only one. */
  #newest = -1

  grow(capacity: number): void {
    const newer = new Int32Array(capacity)
    const older = new Int32Array(capacity)
    newer.set(this.#newer)
    older.set(this.#older)
    this.#newer = newer
    this.#older = older
  }

  insert(slot: number): void {
    const fewest = this.#fewest
    this.#push(fewest !== undefined && fewest.uses === 0 ? fewest : this.#openGroup(0, undefined, fewest), slot)
    this.#newest = slot
  }

  hit(slot: number): void {
    const group = this.#groups[slot] as Group
    const uses = group.uses + 1
    const more = group.more
    const next = more !== undefined && more.uses === uses ? more : this.#openGroup(uses, group, more)
    this.#unlink(group, slot)
    this.#push(next, slot)
  }

  reweigh(): void {}

  evict(): number {
    let group = this.#fewest as Group
    let slot = group.back
    // The newest entry has the fewest uses: without this, it would be evicted at once if all others were used.
    if (slot === this.#newest && group.front === slot && group.more !== undefined) {
      group = group.more
      slot = group.back
    }
    this.#unlink(group, slot)
    return slot
  }

  remove(slot: number): void {
    this.#unlink(this.#groups[slot] as Group, slot)
  }

  clear(): void {
    this.#newer = new Int32Array(0)
    this.#older = new Int32Array(0)
    this.#groups = []
    this.#fewest = undefined
    this.#newest = -1
  }

  limit(): void {}

  *order(): Generator<number> {
    for (let group = this.#fewest; group !== undefined; group = group.more) {
      for (let slot = group.back; slot >= 0; slot = this.#newer[slot] as number) yield slot
    }
  }

  uses(slot: number): number {
    return Math.min(15, (this.#groups[slot] as Group).uses)
  }

  check(): void {
    let fewer: Group | undefined
    for (let group = this.#fewest; group !== undefined; group = group.more) {
      if (group.fewer !== fewer) throw new Error(`group ${group.uses} has a wrong neighbour`)
      if (fewer !== undefined && fewer.uses >= group.uses) throw new Error(`group ${group.uses} is in the wrong place`)
      let older = -1
      for (let slot = group.back; slot >= 0; slot = this.#newer[slot] as number) {
        if (this.#older[slot] !== older) throw new Error(`slot ${slot} has a wrong older neighbour`)
        if (this.#groups[slot] !== group) throw new Error(`slot ${slot} refers to a wrong group`)
        older = slot
      }
      if (older < 0 || older !== group.front)
        throw new Error(`group ${group.uses} is empty or does not end at its front`)
      fewer = group
    }
  }

  #openGroup(uses: number, fewer: Group | undefined, more: Group | undefined): Group {
    const group = this.#freeGroups ?? { uses, fewer, more, front: -1, back: -1 }
    if (this.#freeGroups !== undefined) {
      this.#freeGroups = group.more
      group.uses = uses
      group.fewer = fewer
      group.more = more
    }
    if (fewer === undefined) this.#fewest = group
    else fewer.more = group
    if (more !== undefined) more.fewer = group
    return group
  }

  #push(group: Group, slot: number): void {
    this.#groups[slot] = group
    this.#newer[slot] = -1
    this.#older[slot] = group.front
    if (group.front >= 0) this.#newer[group.front] = slot
    else group.back = slot
    group.front = slot
  }

  #unlink(group: Group, slot: number): void {
    const newer = this.#newer[slot] as number
    const older = this.#older[slot] as number
    if (newer >= 0) this.#older[newer] = older
    else group.front = older
    if (older >= 0) this.#newer[older] = newer
    else group.back = newer
    this.#groups[slot] = undefined
    if (group.front < 0) this.#freeGroup(group)
  }

  #freeGroup(group: Group): void {
    if (group.fewer === undefined) this.#fewest = group.more
    else group.fewer.more = group.more
    if (group.more !== undefined) group.more.fewer = group.fewer
    group.fewer = undefined
    group.more = this.#freeGroups
    this.#freeGroups = group
  }
}
