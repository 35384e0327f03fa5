import { liveBit, type Slots } from '../engine/slots.ts'
import { GhostTable } from './ghost-table.ts'
import { MainPart } from './main-part.ts'
import type { Policy } from './policy.ts'
import { SlotRing } from './slot-ring.ts'
import { WindowShare } from './window-share.ts'

/** Bits 0 to 3 of the meta byte: the uses of the entry, at most 15, halved from time to time. */
const frequencyMask = 0x0f
/** The entry was used since the front of the queue or the hand last reached it. */
const visitedBit = 0x10
/** The entry is in the window; else it is in the main part. */
const windowBit = 0x20
const windowShift = 5

/** The meta byte after a hit for each one before: one more use, at most 15, and visited. */
const afterHit = Uint8Array.from({ length: 256 }, (_, bits) => {
  const used = (bits & frequencyMask) < frequencyMask ? bits + 1 : bits
  return used | visitedBit
})

/** The share of the window is adjusted after this many requests per entry. */
const adjustAfter = 3
/** Frequencies are halved after this many requests per entry, in steps of this many slots at each insert. */
const halveAfter = 12
const halveStep = 128
/** A candidate is admitted only if its frequency exceeds that of the victim by more than this. The margin resists loops. */
const admissionMargin = 1
/** One eviction skips at most this many visited entries, in the window and in the main part. */
const windowSecondChances = 3
const mainSecondChances = 64
/** Without a candidate, the least used of this many entries is evicted. */
const coldestSample = 8
/** A candidate with this frequency is admitted against a more frequent victim once in 128 times. Else an attacker could block admissions. */
const warmFrequency = 6
const warmAdmissionChance = 1 / 128
/** A new entry with more than this share of the total weight skips the window and must be admitted. */
const hugeShare = 0.125
/** A candidate is not admitted if it would evict more entries than this. */
const maxVictims = 64

/**
 * Learns from the traffic how much of the cache should serve recency and how much frequency.
 *
 * New entries enter a window, a queue that gives used entries another round (CLOCK). An entry that leaves the window is a
 * candidate for the main part. There a hand moves over the slots and points at a victim (CLOCK again: Fernando Corbató, "A
 * Paging Experiment with the Multics System", 1968). The more frequent of the two stays, as in W-TinyLFU (Einziger, Friedman
 * and Manes, ACM Transactions on Storage 13(4), 2017). Entries have a frequency, and a `GhostTable` remembers those of
 * evicted keys. `WindowShare` adjusts the size of the window. A hit writes one byte and one counter. The policy takes five
 * bytes per entry, four of them for the ghosts.
 */
export class AdaptivePolicy implements Policy {
  readonly name = 'adaptive'
  readonly #slots: Slots<unknown, unknown>
  readonly #random: () => number
  readonly #ring: SlotRing
  readonly #ghosts = new GhostTable()
  readonly #main: MainPart
  readonly #window = new WindowShare()
  #maxEntries = Number.POSITIVE_INFINITY
  #maxBytes = Number.POSITIVE_INFINITY
  #windowCount = 0
  #windowWeight = 0
  #mainWeight = 0
  #newest = -1
  #hand = 0
  // The hits since the last adjustment of the window, and those of them in the window. No `#private` fields: every hit
  // writes them, and such a write takes more of V8's inlining budget.
  hits = 0
  windowHits = 0
  #inserts = 0
  /** The requests since the last halving of frequencies, and the next slot of the current halving; -1 for none. */
  #requests = 0
  #halvingFrom = -1

  constructor(slots: Slots<unknown, unknown>, random: () => number) {
    this.#slots = slots
    this.#random = random
    this.#ring = new SlotRing(slots)
    this.#main = new MainPart(slots, liveBit | windowBit, liveBit)
  }

  grow(capacity: number): void {
    this.#ghosts.grow(capacity)
    this.#main.grow(capacity)
  }

  insert(slot: number): void {
    const { meta, hashes } = this.#slots
    let bits = windowBit | 1
    if (this.#ghosts.take(hashes[slot] as number)) {
      const { frequency, rejected, recent } = this.#ghosts.found
      bits = windowBit | Math.min(frequencyMask, frequency + 1)
      if (recent) this.#window.countReturn(rejected)
    }
    // The slot may have the place of a removed entry in the queue. It has not waited there, so it gets another round.
    if (this.#ring.holds(slot)) bits |= visitedBit
    else this.#ring.push(slot)
    meta[slot] = (meta[slot] as number) | bits
    this.#windowCount += 1
    this.#windowWeight += this.#slots.weightAt(slot)
    this.#newest = slot
    this.#inserts += 1
    if (this.#inserts + this.hits >= adjustAfter * Math.min(this.#slots.count, this.#maxEntries)) this.#adjustWindow()
    if (this.#halvingFrom >= 0) this.#halve()
    // While there is room, entries that leave the window need no admission.
    if (!this.#isFull() && this.#isWindowOver(0)) this.#promote(this.#oldest())
  }

  // Without a branch, because the processor could not predict whether an entry is in the window.
  hit(slot: number): void {
    const meta = this.#slots.meta
    const bits = meta[slot] as number
    meta[slot] = afterHit[bits] as number
    this.hits += 1
    this.windowHits += (bits >> windowShift) & 1
  }

  reweigh(slot: number, before: number): void {
    const change = this.#slots.weightAt(slot) - before
    if (this.#isInWindow(slot)) this.#windowWeight += change
    else this.#mainWeight += change
  }

  evict(): number {
    const leaving = this.#choose()
    const { meta, hashes } = this.#slots
    const bits = meta[leaving] as number
    const rejected = (bits & windowBit) !== 0
    this.#window.countEviction(rejected)
    this.#ghosts.add(hashes[leaving] as number, bits & frequencyMask, rejected)
    this.remove(leaving)
    return leaving
  }

  remove(slot: number): void {
    if (this.#newest === slot) this.#newest = -1
    if (this.#isInWindow(slot)) {
      this.#windowCount -= 1
      this.#windowWeight -= this.#slots.weightAt(slot)
    } else {
      this.#mainWeight -= this.#slots.weightAt(slot)
      this.#main.remove(slot)
    }
  }

  clear(): void {
    this.#ring.clear()
    this.#ghosts.clear()
    this.#windowCount = 0
    this.#windowWeight = 0
    this.#mainWeight = 0
    this.#main.clear()
    this.#newest = -1
    this.#hand = 0
    this.#halvingFrom = -1
  }

  limit(maxEntries: number, maxBytes: number): void {
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
  }

  *order(): Generator<number> {
    const { meta, high } = this.#slots
    const main: number[] = []
    for (let slot = 0; slot < high; slot += 1) {
      if (((meta[slot] as number) & (liveBit | windowBit)) === liveBit) main.push(slot)
    }
    main.sort((a, b) => this.uses(a) - this.uses(b))
    yield* main
    for (const slot of this.#ring.slots()) if (this.#slots.isLive(slot) && this.#isInWindow(slot)) yield slot
  }

  uses(slot: number): number {
    return Math.max(0, ((this.#slots.meta[slot] as number) & frequencyMask) - 1)
  }

  check(): void {
    const inRing = new Set<number>()
    for (const slot of this.#ring.slots()) {
      if (inRing.has(slot)) throw new Error(`slot ${slot} is in the ring twice`)
      inRing.add(slot)
    }
    let windowCount = 0
    let windowWeight = 0
    let mainWeight = 0
    for (let slot = 0; slot < this.#slots.high; slot += 1) {
      if (this.#ring.holds(slot) !== inRing.has(slot)) throw new Error(`slot ${slot} contradicts its sticky bit`)
      if (!this.#slots.isLive(slot)) continue
      if (this.#isInWindow(slot)) {
        windowCount += 1
        windowWeight += this.#slots.weightAt(slot)
        if (!inRing.has(slot)) throw new Error(`slot ${slot} is in the window but not in the ring`)
      } else {
        mainWeight += this.#slots.weightAt(slot)
      }
    }
    this.#main.check()
    if (windowCount !== this.#windowCount)
      throw new Error(`the window has ${windowCount} slots but counts ${this.#windowCount}`)
    const error = Math.abs(windowWeight - this.#windowWeight) + Math.abs(mainWeight - this.#mainWeight)
    if (error > 1e-6 * (1 + windowWeight + mainWeight))
      throw new Error('the weights of window and main part differ from their sums')
  }

  #isInWindow(slot: number): boolean {
    return ((this.#slots.meta[slot] as number) & windowBit) !== 0
  }

  #isFull(): boolean {
    return this.#slots.count > this.#maxEntries || this.#windowWeight + this.#mainWeight > this.#maxBytes
  }

  /** Whether the window, without `spare` of its weight, exceeds its share. The newest entry always has a place. */
  #isWindowOver(spare: number): boolean {
    if (this.#windowCount < 2) return false
    const total =
      this.#slots.weights === undefined
        ? Math.min(this.#slots.count, this.#maxEntries)
        : this.#windowWeight + this.#mainWeight
    return this.#windowWeight - spare > Math.max(this.#window.share * total, this.#slots.weights === undefined ? 1 : 0)
  }

  #choose(): number {
    const candidate = this.#candidate()
    if (candidate < 0) {
      const coldest = this.#coldest()
      return coldest >= 0 ? coldest : this.#oldest()
    }
    const victim = this.#victim()
    if (victim < 0 || !this.#admits(candidate, victim)) return candidate
    this.#promote(candidate)
    return victim
  }

  /** The entry to admit or evict: a huge new one, else the oldest of a window over its share; -1 if the main part must evict. */
  #candidate(): number {
    const newest = this.#newest
    const total = this.#windowWeight + this.#mainWeight
    if (newest >= 0 && this.#slots.weights !== undefined && this.#isInWindow(newest)) {
      if (this.#slots.weightAt(newest) > Math.max(this.#window.share, hugeShare) * total) return newest
    }
    // After the share has fallen, the window loses one entry more than it gains until it fits.
    const gained = newest >= 0 && this.#isInWindow(newest) ? this.#slots.weightAt(newest) : 0
    const next = this.#slots.weights === undefined ? 0 : this.#windowWeight / this.#windowCount
    if (gained > 0 && this.#isWindowOver(gained + next)) this.#promote(this.#oldest())
    return this.#isWindowOver(0) ? this.#oldest() : -1
  }

  /** Removes the next entry to leave the window from the ring, and returns it; it still counts as in the window. -1 if there is none. */
  #oldest(): number {
    const meta = this.#slots.meta
    let chances = windowSecondChances
    while (this.#ring.length > 0) {
      const slot = this.#ring.shift()
      const bits = meta[slot] as number
      if ((bits & (liveBit | windowBit)) !== (liveBit | windowBit)) continue
      // The newest entry is skipped, so that an entry can be read after it was set.
      const isNewest = slot === this.#newest && this.#windowCount > 1
      if (!isNewest && ((bits & visitedBit) === 0 || chances <= 0)) return slot
      if (!isNewest) chances -= 1
      meta[slot] = bits & ~visitedBit
      this.#ring.push(slot)
    }
    return -1
  }

  #promote(slot: number): void {
    if (slot < 0) return
    const meta = this.#slots.meta
    meta[slot] = (meta[slot] as number) & ~(windowBit | visitedBit)
    const weight = this.#slots.weightAt(slot)
    this.#windowCount -= 1
    this.#windowWeight -= weight
    this.#mainWeight += weight
    this.#main.add(slot)
  }

  /** The entry of the main part at the hand, or -1 if there is none. */
  #victim(): number {
    const { meta, count } = this.#slots
    if (count === this.#windowCount) return -1
    let chances = mainSecondChances
    for (;;) {
      const slot = this.#main.next(this.#hand)
      this.#hand = slot + 1
      const bits = meta[slot] as number
      // A huge new entry that was admitted is not its own victim.
      if (slot === this.#newest && count - this.#windowCount > 1) continue
      if ((bits & visitedBit) === 0 || chances <= 0) return slot
      chances -= 1
      meta[slot] = bits & ~visitedBit
    }
  }

  /** The least used of some victims, for an eviction without a candidate; -1 if the main part is empty. */
  #coldest(): number {
    const meta = this.#slots.meta
    let coldest = this.#victim()
    for (
      let looks = 1;
      looks < coldestSample && coldest >= 0 && ((meta[coldest] as number) & frequencyMask) > 1;
      looks += 1
    ) {
      const other = this.#victim()
      if (((meta[other] as number) & frequencyMask) < ((meta[coldest] as number) & frequencyMask)) coldest = other
    }
    return coldest
  }

  /** Whether the candidate was used more often than every entry that it would evict. */
  #admits(candidate: number, victim: number): boolean {
    const meta = this.#slots.meta
    const frequency = (meta[candidate] as number) & frequencyMask
    if (frequency <= ((meta[victim] as number) & frequencyMask) + admissionMargin)
      return frequency >= warmFrequency && this.#random() < warmAdmissionChance
    if (this.#slots.weights === undefined) return true
    let room = this.#slots.weightAt(candidate) - this.#slots.weightAt(victim)
    let slot = victim
    for (let victims = 1; room > 0; victims += 1) {
      slot = this.#main.next(slot + 1)
      // The whole main part does not have enough room.
      if (victims === maxVictims || slot === victim) return false
      if (frequency <= ((meta[slot] as number) & frequencyMask) + admissionMargin) return false
      room -= this.#slots.weightAt(slot)
    }
    return true
  }

  #adjustWindow(): void {
    const count = this.#slots.count
    const weighted = this.#slots.weights !== undefined
    this.#window.adjust(
      this.windowHits,
      this.hits - this.windowHits,
      weighted ? this.#windowWeight : this.#windowCount,
      weighted ? this.#mainWeight : count - this.#windowCount,
    )
    this.#requests += this.hits + this.#inserts
    this.hits = 0
    this.windowHits = 0
    this.#inserts = 0
    if (this.#requests >= halveAfter * count) {
      this.#requests = 0
      this.#halvingFrom = 0
    }
  }

  /** A step of the halving. A single step for all slots would pause a large cache for milliseconds. */
  #halve(): void {
    const { meta, high } = this.#slots
    const end = this.#halvingFrom + halveStep
    for (let slot = this.#halvingFrom; slot < Math.min(end, high); slot += 1) {
      const bits = meta[slot] as number
      meta[slot] = (bits & ~frequencyMask) | ((bits & frequencyMask) >> 1)
    }
    this.#ghosts.halve(this.#halvingFrom, end)
    this.#halvingFrom = end >= high && end >= this.#ghosts.length ? -1 : end
  }
}
