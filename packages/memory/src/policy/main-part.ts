import type { Slots } from '../engine/slots.ts'

/** Slots are counted in blocks of this size, so that the hand skips blocks without an entry of the main part. */
const blockShift = 6
const blockMask = (1 << blockShift) - 1

/** The entries of the main part in the order of their slots. The meta bits of a slot under `mask` equal `bits` exactly for these. */
export class MainPart {
  readonly #slots: Slots<unknown, unknown>
  readonly #mask: number
  readonly #bits: number
  /** The number of entries of the main part in each block of slots. */
  #counts: Uint8Array = new Uint8Array(0)

  constructor(slots: Slots<unknown, unknown>, mask: number, bits: number) {
    this.#slots = slots
    this.#mask = mask
    this.#bits = bits
  }

  grow(capacity: number): void {
    const counts = new Uint8Array((capacity >> blockShift) + 1)
    counts.set(this.#counts)
    this.#counts = counts
  }

  clear(): void {
    this.#counts = new Uint8Array(0)
  }

  /** Counts an entry that has entered the main part. */
  add(slot: number): void {
    const block = slot >> blockShift
    this.#counts[block] = (this.#counts[block] as number) + 1
  }

  /** Uncounts an entry that leaves the main part. */
  remove(slot: number): void {
    const block = slot >> blockShift
    this.#counts[block] = (this.#counts[block] as number) - 1
  }

  /** The first slot of the main part from `start` on, continuing at slot 0. The main part must have an entry. */
  next(start: number): number {
    const { meta, high } = this.#slots
    const counts = this.#counts
    const mask = this.#mask
    const bits = this.#bits
    for (let slot = start; ; slot += 1) {
      if (slot >= high) slot = 0
      while ((slot & blockMask) === 0 && counts[slot >> blockShift] === 0) {
        slot += blockMask + 1
        if (slot >= high) slot = 0
      }
      if (((meta[slot] as number) & mask) === bits) return slot
    }
  }

  /** Throws if a block has another count than entries. For tests. */
  check(): void {
    const counts = new Uint8Array(this.#counts.length)
    for (let slot = 0; slot < this.#slots.high; slot += 1) {
      if (((this.#slots.meta[slot] as number) & this.#mask) !== this.#bits) continue
      counts[slot >> blockShift] = (counts[slot >> blockShift] as number) + 1
    }
    if (counts.some((count, block) => count !== this.#counts[block])) throw new Error('a block has a wrong count')
  }
}
