import type { Policy } from './policy.ts'

/** The slots that were used equally often, a doubly linked list, between the groups used less and more often. */
interface Group {
  uses: number
  fewer: Group | null
  more: Group | null
  front: number
  back: number
}

/**
 * Least frequently used; among equals the least recently used. Counts never age. In constant time: Ketan Shah, Anirban Mitra
 * and Dhruv Matani, "An O(1) algorithm for implementing the LFU cache eviction scheme", 2010.
 */
export class LfuPolicy implements Policy {
  readonly name = 'lfu'
  private newer: Int32Array = new Int32Array(0)
  private older: Int32Array = new Int32Array(0)
  private groups: (Group | null)[] = []
  private fewest: Group | null = null
  /** Groups that became empty, for the next that is needed: hits allocate nothing once there are enough. */
  private spare: Group | null = null
  /** The newest insert, which does not leave while there is another one to choose. */
  private newest = -1

  grow(capacity: number): void {
    const newer = new Int32Array(capacity)
    const older = new Int32Array(capacity)
    newer.set(this.newer)
    older.set(this.older)
    this.newer = newer
    this.older = older
  }

  insert(slot: number): void {
    const fewest = this.fewest
    this.push(fewest !== null && fewest.uses === 0 ? fewest : this.open(0, null, fewest), slot)
    this.newest = slot
  }

  hit(slot: number): void {
    const group = this.groups[slot] as Group
    const uses = group.uses + 1
    const more = group.more
    const next = more !== null && more.uses === uses ? more : this.open(uses, group, more)
    this.unlink(group, slot)
    this.push(next, slot)
  }

  reweigh(): void {}

  evict(): number {
    let group = this.fewest as Group
    let slot = group.back
    // A newcomer always is among the least used: without this, it would leave at once whenever all others were used.
    if (slot === this.newest && group.front === slot && group.more !== null) {
      group = group.more
      slot = group.back
    }
    this.unlink(group, slot)
    return slot
  }

  remove(slot: number): void {
    this.unlink(this.groups[slot] as Group, slot)
  }

  clear(): void {
    this.newer = new Int32Array(0)
    this.older = new Int32Array(0)
    this.groups = []
    this.fewest = null
    this.newest = -1
  }

  limit(): void {}

  *order(): Generator<number> {
    for (let group = this.fewest; group !== null; group = group.more) {
      for (let slot = group.back; slot >= 0; slot = this.newer[slot] as number) yield slot
    }
  }

  uses(slot: number): number {
    return Math.min(15, (this.groups[slot] as Group).uses)
  }

  check(): void {
    let fewer: Group | null = null
    for (let group = this.fewest; group !== null; group = group.more) {
      if (group.fewer !== fewer) throw new Error(`group ${group.uses} has the wrong neighbour`)
      if (fewer !== null && fewer.uses >= group.uses) throw new Error(`group ${group.uses} stands in the wrong place`)
      let older = -1
      for (let slot = group.back; slot >= 0; slot = this.newer[slot] as number) {
        if (this.older[slot] !== older) throw new Error(`slot ${slot} has the wrong older neighbour`)
        if (this.groups[slot] !== group) throw new Error(`slot ${slot} names the wrong group`)
        older = slot
      }
      if (older < 0 || older !== group.front)
        throw new Error(`group ${group.uses} is empty or does not end at its front`)
      fewer = group
    }
  }

  private open(uses: number, fewer: Group | null, more: Group | null): Group {
    const group = this.spare ?? { uses, fewer, more, front: -1, back: -1 }
    if (this.spare !== null) {
      this.spare = group.more
      group.uses = uses
      group.fewer = fewer
      group.more = more
    }
    if (fewer === null) this.fewest = group
    else fewer.more = group
    if (more !== null) more.fewer = group
    return group
  }

  private push(group: Group, slot: number): void {
    this.groups[slot] = group
    this.newer[slot] = -1
    this.older[slot] = group.front
    if (group.front >= 0) this.newer[group.front] = slot
    else group.back = slot
    group.front = slot
  }

  private unlink(group: Group, slot: number): void {
    const newer = this.newer[slot] as number
    const older = this.older[slot] as number
    if (newer >= 0) this.older[newer] = older
    else group.front = older
    if (older >= 0) this.newer[older] = newer
    else group.back = newer
    this.groups[slot] = null
    if (group.front < 0) this.drop(group)
  }

  private drop(group: Group): void {
    if (group.fewer === null) this.fewest = group.more
    else group.fewer.more = group.more
    if (group.more !== null) group.more.fewer = group.fewer
    group.fewer = null
    group.more = this.spare
    this.spare = group
  }
}
