import { KeyHasher } from './key-hasher.ts'
import { MOST_SAMPLES } from './key-pattern.ts'
import { Overflow } from './overflow.ts'
import type { Slots } from './slots.ts'

const SMALLEST = 16
/** Cells hold the slot in at least this many low bits; the bits above hold a piece of the hash. */
const SLOT_BITS = 24
/** What one look-up may spend in the cells before it turns to the overflow map: a cell costs 1, a wrong key compared costs 32. */
const BUDGET = 256
const MISMATCH = 32
/** Cells moved to the new table at each insertion. Growing by two at a load of 11/16, six would do; eight leaves a margin. */
const STEP = 8
const GONE = -1
/** The share of the cells that is filled before the table grows. */
const MOST_FILLED = 0.6875
/** A table up to this size moves at once: that takes some ten microseconds. */
const SMALL = 1024
/** Tables of these sizes learn their keys' pattern anew when they grow; larger ones only when keys collide. */
const LEARN_FROM = 128
const LEARN_UNTIL = 16_384
/** So many collisions, and one in 32 inserts, are no reason to move: learning anew takes a millisecond. */
const TOLERATED = 64
/** Of the last collisions, so many slots are remembered: their keys show what the pattern overlooks. */
const WITNESSES = 64
/** So many keys of the overflow map at most get another chance in the cells when the seed changes; all at once could be a long pause. */
const MOST_REPLACED = 1024
/** A run of filled cells longer than this does not happen by chance: the table gets a new seed. */
const LONGEST_RUN = 4096

/** One open-addressing table: a cell is 0 when free, GONE where an entry was (only in a table that is being left), else a tag and slot + 1. */
interface Table {
  readonly cells: Int32Array
  readonly mask: number
  readonly slotMask: number
  /** How keys were hashed when they were put here. */
  readonly hasher: KeyHasher
}

/**
 * Finds the slot of a key: linear probing over 32-bit cells, each with a piece of the hash beside the slot number.
 *
 * Cost is bounded whatever the keys are. Strings are hashed with a seed of this instance's own, by those characters at which the keys
 * differ (`KeyPattern`). A look-up spends at most a fixed budget in the cells; a key that cannot be placed within it goes to a `Map`. When keys
 * collide, the table moves to a fresh seed and a better pattern, in the end to whole strings; whoever still collides stays in the `Map`, which V8 seeds.
 * Keys that are neither strings nor numbers always live in the `Map`.
 *
 * Growth moves a few cells at each insertion, so no call pays for a whole rehash.
 */
export class KeyIndex<K, V> {
  cells: Int32Array
  mask: number
  slotMask: number
  hasher: KeyHasher
  /** The table that is being left while entries move over; null otherwise. */
  old: Table | null = null
  /** Keys without a place in the cells; null until there is one. */
  overflow: Overflow<K> | null = null
  private moved = 0
  private crowded = false
  /** Inserts, and other keys with the very same hash that they met, since the hasher or the table changed. */
  private inserts = 0
  private collisions = 0
  /** The slots that met at the last collisions; some may have been released since. */
  private readonly witnesses = new Int32Array(WITNESSES)
  private inCells = 0
  private slots: Slots<K, V>
  private random: () => number

  constructor(slots: Slots<K, V>, random: () => number) {
    this.slots = slots
    this.random = random
    this.hasher = new KeyHasher(randomWord(random))
    this.cells = new Int32Array(SMALLEST)
    this.mask = SMALLEST - 1
    this.slotMask = slotMaskFor(SMALLEST, 0)
  }

  hash(key: K): number {
    return this.hasher.hash(key)
  }

  /**
   * A slot whose key is likely to be the one with the hash, or -1: nine in ten keys that are in stand in the first two cells. Choosing
   * between these by arithmetic spares a branch that nobody can predict, and with it the waiting for both cells: an eighth of a hit among
   * a hundred thousand keys.
   */
  guess(hash: number): number {
    const cells = this.cells
    const mask = this.mask
    const slotMask = this.slotMask
    const cell = cells[hash & mask] as number
    const differs = (cell ^ hash) & ~slotMask
    // A free cell reads as slot -1.
    const chosen = cell ^ ((cell ^ (cells[(hash + 1) & mask] as number)) & ((differs | -differs) >> 31))
    return ((chosen ^ hash) & ~slotMask) === 0 ? (chosen & slotMask) - 1 : -1
  }

  /** The slot of the key, or -1. `hash` is `this.hash(key)`. */
  find(key: K, hash: number): number {
    const cells = this.cells
    const mask = this.mask
    const slotMask = this.slotMask
    let at = hash & mask
    let budget = BUDGET
    let cell = cells[at] as number
    while (cell !== 0 && budget > 0) {
      if (((cell ^ hash) & ~slotMask) === 0) {
        const slot = (cell & slotMask) - 1
        if (this.slots.keyAt(slot) === key) return slot
        budget -= MISMATCH
      }
      budget--
      at = (at + 1) & mask
      cell = cells[at] as number
    }
    if (this.old === null && this.overflow === null) return -1
    return this.findElsewhere(key, hash)
  }

  /** Adds a key that is not in the index; its hash stands in `slots.hashes` already. */
  insert(key: K, slot: number): void {
    if (this.old !== null) this.move(STEP)
    else if (this.inCells >= (this.mask + 1) * MOST_FILLED) this.growTable(key, slot)
    else if (slot >= this.slotMask) this.leave(this.mask + 1, this.hasher)
    else if (this.isFlooded()) this.reseed(key, slot)
    this.inserts++
    this.place(key, slot)
  }

  /** Takes out the key of a slot that is still filled. */
  remove(key: K, slot: number): void {
    const overflow = this.overflow
    if (overflow !== null && overflow.get(key) === slot) {
      overflow.delete(key)
      if (overflow.size === 0) this.overflow = null
      return
    }
    const at = this.cellOf(slot)
    if (at >= 0) {
      this.inCells--
      this.close(at)
    } else this.removeFromOld(key, slot)
  }

  /**
   * Makes the table fit `entries` again after the cache was made smaller. At once: insertions that bring a much smaller table in use
   * would fill it long before all cells of the large one had moved.
   */
  shrink(entries: number): void {
    let size = SMALLEST
    while (size * MOST_FILLED <= entries) size *= 2
    if (size * 2 > this.mask + 1 || this.old !== null) return
    this.leave(size, this.hasher)
    if (this.old !== null) this.move(Number.POSITIVE_INFINITY)
  }

  clear(): void {
    this.cells = new Int32Array(SMALLEST)
    this.mask = SMALLEST - 1
    this.slotMask = slotMaskFor(SMALLEST, 0)
    this.old = null
    this.overflow = null
    this.inCells = 0
  }

  // Every cell that this walk passes was counted when the key was placed, and deletions only shorten the walk (backward shift keeps
  // the order of entries), so the same budget that placed a key always finds it.
  private place(key: K, slot: number): void {
    const cells = this.cells
    const mask = this.mask
    const slotMask = this.slotMask
    const hash = this.slots.hashes[slot] as number
    let budget = typeof key === 'string' || (typeof key === 'number' && !Number.isNaN(key)) ? BUDGET : 0
    let at = hash & mask
    while (budget > 0) {
      const cell = cells[at] as number
      if (cell === 0) {
        cells[at] = (hash & ~slotMask) | (slot + 1)
        this.inCells++
        return
      }
      budget--
      if (((cell ^ hash) & ~slotMask) === 0) {
        budget -= MISMATCH
        const other = (cell & slotMask) - 1
        if (this.slots.hashes[other] === hash) this.witness(slot, other)
      }
      at = (at + 1) & mask
    }
    this.overflowing().add(key, slot)
  }

  private overflowing(): Overflow<K> {
    if (this.overflow === null) this.overflow = new Overflow()
    return this.overflow
  }

  private witness(slot: number, other: number): void {
    const at = (this.collisions++ * 2) % WITNESSES
    this.witnesses[at] = slot
    this.witnesses[at + 1] = other
  }

  private findElsewhere(key: K, hash: number): number {
    const old = this.old
    if (old !== null) {
      const oldHash = old.hasher === this.hasher ? hash : old.hasher.hash(key)
      const at = this.findInOld(key, oldHash, old)
      const slot = at >= 0 ? ((old.cells[at] as number) & old.slotMask) - 1 : -1
      // Reading alone also brings the move to its end.
      this.move(STEP)
      if (slot >= 0) return slot
    }
    return this.overflow?.get(key) ?? -1
  }

  private findInOld(key: K, hash: number, old: Table): number {
    const { cells, mask, slotMask } = old
    let at = hash & mask
    for (let budget = BUDGET; budget > 0; budget--) {
      const cell = cells[at] as number
      if (cell === 0) return -1
      if (cell !== GONE && ((cell ^ hash) & ~slotMask) === 0) {
        if (this.slots.keyAt((cell & slotMask) - 1) === key) return at
        budget -= MISMATCH
      }
      at = (at + 1) & mask
    }
    return -1
  }

  private removeFromOld(key: K, slot: number): void {
    const old = this.old as Table
    const oldHash = this.slots.hashes[slot] as number
    const { cells, mask, slotMask } = old
    for (let at = oldHash & mask; ; at = (at + 1) & mask) {
      const cell = cells[at] as number
      if (cell !== GONE && (cell & slotMask) - 1 === slot) {
        cells[at] = GONE
        return
      }
      if (cell === 0) throw new Error(`the index has lost the key ${String(key)}`)
    }
  }

  /** The cell of the current table that holds the slot, or -1. */
  private cellOf(slot: number): number {
    const cells = this.cells
    const mask = this.mask
    const hash = this.slots.hashes[slot] as number
    const wanted = (hash & ~this.slotMask) | (slot + 1)
    let at = hash & mask
    // No entry stands further from its home than the budget.
    for (let left = BUDGET; left > 0; left--) {
      const cell = cells[at] as number
      if (cell === wanted) return at
      if (cell === 0) return -1
      at = (at + 1) & mask
    }
    return -1
  }

  // Backward shift (Knuth, TAOCP 3, 6.4, algorithm R): no tombstones, so long-lived caches never slow down.
  private close(hole: number): void {
    const cells = this.cells
    const mask = this.mask
    const slotMask = this.slotMask
    const hashes = this.slots.hashes
    let free = hole
    let at = (hole + 1) & mask
    for (let cell = cells[at] as number; cell !== 0; cell = cells[at] as number) {
      const home = (hashes[(cell & slotMask) - 1] as number) & mask
      if (((at - home) & mask) >= ((at - free) & mask)) {
        cells[free] = cell
        free = at
      }
      at = (at + 1) & mask
      // No entry stands further from its home than the budget, so none beyond can fill the hole.
      if (((at - free) & mask) > BUDGET) break
    }
    cells[free] = 0
    if (((at - hole) & mask) > LONGEST_RUN) this.crowded = true
  }

  // The characters that are read do not tell these keys apart, or somebody knows the seed.
  private isFlooded(): boolean {
    return this.crowded || (!this.hasher.whole && this.collisions > TOLERATED + (this.inserts >> 5))
  }

  private growTable(key: K, slot: number): void {
    const size = this.mask + 1
    const learns = size >= LEARN_FROM && size <= LEARN_UNTIL && !this.hasher.whole
    this.leave(size * 2, learns ? this.hasher.grown(this.inCells, this.sample()) : this.hasher)
    this.slots.hashes[slot] = this.hash(key)
  }

  private reseed(key: K, slot: number): void {
    let seed = randomWord(this.random)
    // Sources of randomness that are handed in may repeat themselves.
    if (seed === this.hasher.seed) seed = ~seed
    const colliding = this.overflow
    // Before anything moves: a small table moves at once, and what finds no place in it goes to a new overflow map.
    this.overflow = null
    this.leave(this.mask + 1, this.hasher.improved(seed, this.slots.count, this.sample()))
    this.slots.hashes[slot] = this.hash(key)
    if (colliding === null) return
    let left = MOST_REPLACED
    for (const [other, at] of colliding) {
      if (left-- > 0) this.replace(other, at)
      else this.overflowing().add(other, at)
    }
  }

  private replace(key: K, slot: number): void {
    this.slots.hashes[slot] = this.hash(key)
    this.place(key, slot)
  }

  /**
   * Some string keys: those that collided last, and one of each stretch of the slots, drawn by lot. With even steps, keys that were set by
   * turns (every other one a user's, say) would show half of their kinds only.
   */
  private sample(): string[] {
    const { high } = this.slots
    const slots = new Set<number>(this.witnesses.subarray(0, Math.min(WITNESSES, this.collisions * 2)))
    const stretches = Math.min(high, MOST_SAMPLES - slots.size)
    let lot = this.hasher.seed
    for (let i = 0, start = 0; i < stretches; i++) {
      // Numerical Recipes' linear congruential generator: its high bits are good enough for this.
      lot = (Math.imul(lot, 1_664_525) + 1_013_904_223) | 0
      const end = Math.floor(((i + 1) * high) / stretches)
      slots.add(start + Math.floor((lot >>> 0) * 2 ** -32 * (end - start)))
      start = end
    }
    const keys: string[] = []
    for (const slot of slots) {
      const key = this.slots.isLive(slot) ? this.slots.keyAt(slot) : undefined
      if (typeof key === 'string') keys.push(key)
    }
    return keys
  }

  private leave(size: number, hasher: KeyHasher): void {
    if (this.old !== null) this.move(Number.POSITIVE_INFINITY)
    this.old = { cells: this.cells, mask: this.mask, slotMask: this.slotMask, hasher: this.hasher }
    this.moved = 0
    this.inCells = 0
    this.crowded = false
    this.collisions = 0
    this.inserts = 0
    this.hasher = hasher
    this.cells = new Int32Array(size)
    this.mask = size - 1
    this.slotMask = slotMaskFor(size, this.slots.capacity)
    if (size <= SMALL) this.move(Number.POSITIVE_INFINITY)
  }

  private move(steps: number): void {
    const old = this.old as Table
    const cells = old.cells
    const end = Math.min(this.moved + steps, cells.length)
    for (let at = this.moved; at < end; at++) {
      const cell = cells[at] as number
      if (cell === 0 || cell === GONE) continue
      // A hole in the middle would end the walks of keys that lie behind it.
      cells[at] = GONE
      const slot = (cell & old.slotMask) - 1
      const key = this.slots.keyAt(slot)
      if (old.hasher !== this.hasher) this.slots.hashes[slot] = this.hash(key)
      this.place(key, slot)
    }
    this.moved = end
    if (end === cells.length) this.old = null
  }
}

function slotMaskFor(size: number, capacity: number): number {
  let bits = SLOT_BITS
  while (2 ** bits < Math.max(size, capacity + 2)) bits++
  return 2 ** bits - 1
}

function randomWord(random: () => number): number {
  return (random() * 2 ** 32) | 0
}
