import { KeyHasher } from './key-hasher.ts'
import { maxSamples } from './key-pattern.ts'
import { Overflow } from './overflow.ts'
import { secureRandom } from './secure-random.ts'
import type { Slots } from './slots.ts'

const minTableSize = 16
/** Cells hold the slot in at least this many low bits. The bits above hold a part of the hash, the tag. */
const minSlotBits = 24
/** The cost that one look-up may have in the cells before it turns to the overflow map: 1 per cell, 32 per wrong key compared. */
const lookUpBudget = 256
const mismatchCost = 32
/** Cells moved to the new table at each insertion. With a growth by two at a load of 11/16, six would be enough. */
const cellsPerStep = 8
const movedCell = -1
/** The seed of an index that has not drawn one yet. */
const unseeded = 0
/** The table grows when this share of its cells is filled. */
const maxLoad = 0.6875
/** A table up to this size moves at once, in about ten microseconds. */
const smallTableSize = 1024
/** Tables of these sizes learn a new key pattern when they grow; larger ones only when keys collide. */
const minLearningSize = 128
const maxLearningSize = 16_384
/** Collisions, besides one in 32 inserts, that do not cause a new pattern: learning one takes a millisecond. */
const toleratedCollisions = 64
/** The number of slots of recent collisions that are remembered: their keys show what the pattern misses. */
const collisionSlotCount = 64
/** At most this many keys of the overflow map return to the cells when the seed changes, so that the pause stays short. */
const maxRetriedKeys = 1024
/** A longer run of filled cells does not happen by chance: the table gets a new seed. */
const longestChanceRun = 4096

/** A table with open addressing. A cell is 0 if free, `movedCell` if its entry moved to the new table, else a tag and slot + 1. */
interface Table {
  readonly cells: Int32Array
  readonly mask: number
  readonly slotMask: number
  /** The hasher of the keys in this table. */
  readonly hasher: KeyHasher
}

/**
 * Finds the slot of a key: linear probing over 32-bit cells, each with a part of the hash beside the slot number.
 *
 * The cost is bounded for all keys. Each instance has its own seed, and hashes strings by those characters at which the
 * keys differ (`KeyPattern`). A look-up has a fixed budget in the cells. A key that cannot be placed within it goes to a
 * `Map`, whose hashes V8 seeds. When keys collide, the table moves to a new seed and a better pattern, and finally to
 * hashes of whole strings. Keys that are neither strings nor numbers are always in the `Map`.
 *
 * Growth moves a few cells at each insertion, so that no single call rehashes everything.
 */
export class KeyIndex<K, V> {
  cells: Int32Array
  mask: number
  slotMask: number
  hasher: KeyHasher
  /** The old table while its entries move to the new one. */
  oldTable: Table | undefined = undefined
  /** Keys without a place in the cells; `undefined` if there are none. */
  overflow: Overflow<K> | undefined = undefined
  /** Called after the hash of a slot has changed from `before`, except for a slot that is being inserted. */
  onRehash: ((slot: number, before: number) => void) | undefined = undefined
  #moved = 0
  #crowded = false
  /** Inserts since the hasher or the table changed, and how many of them met another key with the same hash. */
  #inserts = 0
  #collisions = 0
  /** The slots of the last collisions; some may have been freed since. */
  readonly #collisionSlots = new Int32Array(collisionSlotCount)
  #inCells = 0
  #slots: Slots<K, V>
  #random: () => number

  constructor(slots: Slots<K, V>, random: () => number) {
    this.#slots = slots
    this.#random = random
    // Edge runtimes forbid secure numbers while they load the application, which is when most caches are made.
    this.hasher = new KeyHasher(random === secureRandom ? unseeded : randomWord(random))
    this.cells = new Int32Array(minTableSize)
    this.mask = minTableSize - 1
    this.slotMask = slotMaskFor(minTableSize, 0)
  }

  hash(key: K): number {
    return this.hasher.hash(key)
  }

  /**
   * A slot whose key probably has the hash, or -1. Nine in ten present keys are in the first two cells. The choice between
   * these is arithmetic: a branch would be unpredictable and wait for both cells, an eighth of a hit with 100,000 keys.
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

  /** The slot of the key, or -1. `hash` must be `this.hash(key)`. */
  find(key: K, hash: number): number {
    const cells = this.cells
    const mask = this.mask
    const slotMask = this.slotMask
    let at = hash & mask
    let budget = lookUpBudget
    let cell = cells[at] as number
    while (cell !== 0 && budget > 0) {
      if (((cell ^ hash) & ~slotMask) === 0) {
        const slot = (cell & slotMask) - 1
        if (this.#slots.keyAt(slot) === key) return slot
        budget -= mismatchCost
      }
      budget -= 1
      at = (at + 1) & mask
      cell = cells[at] as number
    }
    if (this.oldTable === undefined && this.overflow === undefined) return -1
    return this.#findElsewhere(key, hash)
  }

  /** Adds an absent key. `slots.hashes` must contain its hash. */
  insert(key: K, slot: number): void {
    if (this.oldTable !== undefined) this.#moveCells(cellsPerStep)
    else if (this.#inCells >= (this.mask + 1) * maxLoad) this.#growTable(key, slot)
    else if (slot >= this.slotMask) this.#startMove(this.mask + 1, this.hasher)
    else if (this.#isFlooded()) this.#reseed(key, slot)
    this.#inserts += 1
    this.place(key, slot)
  }

  /** Removes the key of a slot. The slot must still contain it. */
  remove(key: K, slot: number): void {
    const overflow = this.overflow
    if (overflow !== undefined && overflow.get(key) === slot) {
      overflow.delete(key)
      if (overflow.size === 0) this.overflow = undefined
      return
    }
    const at = this.#cellOf(slot)
    if (at >= 0) {
      this.#inCells -= 1
      this.#closeHole(at)
    } else this.#removeFromOld(key, slot)
  }

  /**
   * Makes the table fit `entries` after the cache became smaller. All cells move at once: insertions would fill a much
   * smaller table long before all cells of the large one had moved in steps.
   */
  shrink(entries: number): void {
    let size = minTableSize
    while (size * maxLoad <= entries) size *= 2
    if (size * 2 > this.mask + 1 || this.oldTable !== undefined) return
    this.#startMove(size, this.hasher)
    if (this.oldTable !== undefined) this.#moveCells(Number.POSITIVE_INFINITY)
  }

  clear(): void {
    this.cells = new Int32Array(minTableSize)
    this.mask = minTableSize - 1
    this.slotMask = slotMaskFor(minTableSize, 0)
    this.oldTable = undefined
    this.overflow = undefined
    this.#inCells = 0
  }

  // A look-up passes only cells that were counted when the key was placed: deletions shorten the walk, as a backward shift
  // keeps the order of entries. So the budget that placed a key always finds it.
  place(key: K, slot: number): void {
    const cells = this.cells
    const mask = this.mask
    const slotMask = this.slotMask
    const hash = this.#slots.hashes[slot] as number
    let budget = typeof key === 'string' || (typeof key === 'number' && !Number.isNaN(key)) ? lookUpBudget : 0
    let at = hash & mask
    while (budget > 0) {
      const cell = cells[at] as number
      if (cell === 0) {
        cells[at] = (hash & ~slotMask) | (slot + 1)
        this.#inCells += 1
        return
      }
      budget -= 1
      if (((cell ^ hash) & ~slotMask) === 0) {
        budget -= mismatchCost
        const other = (cell & slotMask) - 1
        if (this.#slots.hashes[other] === hash) this.#recordCollision(slot, other)
      }
      at = (at + 1) & mask
    }
    this.#openOverflow().add(key, slot)
  }

  #openOverflow(): Overflow<K> {
    if (this.overflow === undefined) this.overflow = new Overflow()
    return this.overflow
  }

  #recordCollision(slot: number, other: number): void {
    const at = (this.#collisions * 2) % collisionSlotCount
    this.#collisions += 1
    this.#collisionSlots[at] = slot
    this.#collisionSlots[at + 1] = other
  }

  #findElsewhere(key: K, hash: number): number {
    const old = this.oldTable
    if (old !== undefined) {
      const oldHash = old.hasher === this.hasher ? hash : old.hasher.hash(key)
      const at = this.#findInOld(key, oldHash, old)
      const slot = at >= 0 ? ((old.cells[at] as number) & old.slotMask) - 1 : -1
      // Reads also complete the move.
      this.#moveCells(cellsPerStep)
      if (slot >= 0) return slot
    }
    return this.overflow?.get(key) ?? -1
  }

  #findInOld(key: K, hash: number, old: Table): number {
    const { cells, mask, slotMask } = old
    let at = hash & mask
    for (let budget = lookUpBudget; budget > 0; budget -= 1) {
      const cell = cells[at] as number
      if (cell === 0) return -1
      if (cell !== movedCell && ((cell ^ hash) & ~slotMask) === 0) {
        if (this.#slots.keyAt((cell & slotMask) - 1) === key) return at
        budget -= mismatchCost
      }
      at = (at + 1) & mask
    }
    return -1
  }

  #removeFromOld(key: K, slot: number): void {
    const old = this.oldTable as Table
    const oldHash = this.#slots.hashes[slot] as number
    const { cells, mask, slotMask } = old
    for (let at = oldHash & mask; ; at = (at + 1) & mask) {
      const cell = cells[at] as number
      if (cell !== movedCell && (cell & slotMask) - 1 === slot) {
        cells[at] = movedCell
        return
      }
      if (cell === 0) throw new Error(`the index does not contain the key ${String(key)}`)
    }
  }

  /** The cell of the current table with the slot, or -1. */
  #cellOf(slot: number): number {
    const cells = this.cells
    const mask = this.mask
    const hash = this.#slots.hashes[slot] as number
    const wanted = (hash & ~this.slotMask) | (slot + 1)
    let at = hash & mask
    // No entry is further from its home cell than the budget.
    for (let left = lookUpBudget; left > 0; left -= 1) {
      const cell = cells[at] as number
      if (cell === wanted) return at
      if (cell === 0) return -1
      at = (at + 1) & mask
    }
    return -1
  }

  // Backward shift (Knuth, TAOCP 3, 6.4, algorithm R): it leaves no tombstones that would slow down a long-lived cache.
  #closeHole(hole: number): void {
    const cells = this.cells
    const mask = this.mask
    const slotMask = this.slotMask
    const hashes = this.#slots.hashes
    let free = hole
    let at = (hole + 1) & mask
    for (let cell = cells[at] as number; cell !== 0; cell = cells[at] as number) {
      const home = (hashes[(cell & slotMask) - 1] as number) & mask
      if (((at - home) & mask) >= ((at - free) & mask)) {
        cells[free] = cell
        free = at
      }
      at = (at + 1) & mask
      // No entry is further from its home cell than the budget, so no later one can fill the hole.
      if (((at - free) & mask) > lookUpBudget) break
    }
    cells[free] = 0
    if (((at - hole) & mask) > longestChanceRun) this.#crowded = true
  }

  // The characters that are read do not distinguish these keys, or an attacker knows the seed.
  #isFlooded(): boolean {
    return this.#crowded || (!this.hasher.whole && this.#collisions > toleratedCollisions + (this.#inserts >> 5))
  }

  #growTable(key: K, slot: number): void {
    const size = this.mask + 1
    const learns = size >= minLearningSize && size <= maxLearningSize && !this.hasher.whole
    // The few keys before the first growth cost little, even if all of them collide.
    const isUnseeded = size === minTableSize && this.hasher.seed === unseeded
    const hasher = isUnseeded ? new KeyHasher(randomWord(this.#random)) : this.hasher
    this.#startMove(size * 2, learns ? hasher.grown(this.#inCells, this.sample()) : hasher)
    this.#slots.hashes[slot] = this.hash(key)
  }

  #reseed(key: K, slot: number): void {
    let seed = randomWord(this.#random)
    // A given source of random numbers may repeat itself.
    if (seed === this.hasher.seed) seed = ~seed
    const colliding = this.overflow
    // Before the move: a small table moves at once, and keys without a place in it go to a new overflow map.
    this.overflow = undefined
    this.#startMove(this.mask + 1, this.hasher.improved(seed, this.#slots.count, this.sample()))
    this.#slots.hashes[slot] = this.hash(key)
    if (colliding === undefined) return
    let left = maxRetriedKeys
    for (const [other, at] of colliding) {
      left -= 1
      if (left >= 0) this.#placeAgain(other, at)
      else this.#openOverflow().add(other, at)
    }
  }

  #placeAgain(key: K, slot: number): void {
    this.#rehash(key, slot)
    this.place(key, slot)
  }

  #rehash(key: K, slot: number): void {
    const hashes = this.#slots.hashes
    const before = hashes[slot] as number
    hashes[slot] = this.hash(key)
    this.onRehash?.(slot, before)
  }

  /**
   * Some string keys: those that collided last, and a random one from each of equal ranges of the slots. With even steps,
   * keys of two kinds that were set in turn would show one kind only.
   */
  sample(): string[] {
    const { high } = this.#slots
    const slots = new Set<number>(this.#collisionSlots.subarray(0, Math.min(collisionSlotCount, this.#collisions * 2)))
    const ranges = Math.min(high, maxSamples - slots.size)
    let state = this.hasher.seed
    for (let i = 0, start = 0; i < ranges; i += 1) {
      // The linear congruential generator of Numerical Recipes: its high bits are random enough.
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
      const end = Math.floor(((i + 1) * high) / ranges)
      slots.add(start + Math.floor((state >>> 0) * 2 ** -32 * (end - start)))
      start = end
    }
    const keys: string[] = []
    for (const slot of slots) {
      const key = this.#slots.isLive(slot) ? this.#slots.keyAt(slot) : undefined
      if (typeof key === 'string') keys.push(key)
    }
    return keys
  }

  #startMove(size: number, hasher: KeyHasher): void {
    if (this.oldTable !== undefined) this.#moveCells(Number.POSITIVE_INFINITY)
    this.oldTable = { cells: this.cells, mask: this.mask, slotMask: this.slotMask, hasher: this.hasher }
    this.#moved = 0
    this.#inCells = 0
    this.#crowded = false
    this.#collisions = 0
    this.#inserts = 0
    this.hasher = hasher
    this.cells = new Int32Array(size)
    this.mask = size - 1
    this.slotMask = slotMaskFor(size, this.#slots.capacity)
    if (size <= smallTableSize) this.#moveCells(Number.POSITIVE_INFINITY)
  }

  #moveCells(steps: number): void {
    const old = this.oldTable as Table
    const cells = old.cells
    const end = Math.min(this.#moved + steps, cells.length)
    for (let at = this.#moved; at < end; at += 1) {
      const cell = cells[at] as number
      if (cell === 0 || cell === movedCell) continue
      // A free cell would end the walks of keys behind it.
      cells[at] = movedCell
      const slot = (cell & old.slotMask) - 1
      const key = this.#slots.keyAt(slot)
      if (old.hasher !== this.hasher) this.#rehash(key, slot)
      this.place(key, slot)
    }
    this.#moved = end
    if (end === cells.length) this.oldTable = undefined
  }
}

function slotMaskFor(size: number, capacity: number): number {
  let bits = minSlotBits
  while (2 ** bits < Math.max(size, capacity + 2)) bits += 1
  return 2 ** bits - 1
}

function randomWord(random: () => number): number {
  return (random() * 2 ** 32) | 0
}
