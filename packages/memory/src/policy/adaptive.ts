import { LIVE, type Slots } from '../engine/slots.ts'
import { GhostTable } from './ghost-table.ts'
import type { Policy } from './policy.ts'
import { SlotRing } from './slot-ring.ts'

/** Bits 0 to 3 of the meta byte: how often the entry was used, up to 15, halved now and then. */
const FREQUENCY = 0x0f
/** Used since its queue or the hand last came by. */
const VISITED = 0x10
/** In the window; else in the main part. */
const WINDOW = 0x20
const WINDOW_SHIFT = 5

/** The meta byte after a hit, by the one before: one more use, up to 15, and visited. */
const afterHit = Uint8Array.from({ length: 256 }, (_, bits) => {
  const used = (bits & FREQUENCY) < FREQUENCY ? bits + 1 : bits
  return used | VISITED
})

const FIRST_SHARE = 0.2
const LEAST_SHARE = 0.02
const MOST_SHARE = 0.85
/** The share is set anew after so many requests per entry, and at most by this factor. */
const STEER_AFTER = 3
const MOST_STEP = 4
/** How strongly the share follows the ratio of densities, and that of returns. */
const DENSITY_POWER = 0.35
const RETURN_POWER = 0.5
/** What a key that was rejected and soon asked for again says for a larger window, against a hit in the window. Regrets are kept for longer than hits. */
const REGRET = 0.2
/** So many departures with the returns of all the others are thought to each part: few departures say little. */
const DOUBT = 8
/** Frequencies are halved after so many requests per entry, so many slots at each insert. */
const HALVE_AFTER = 12
const HALVE_STEP = 128
/** A candidate gets in only if it is this much more frequent: ties and near ties keep what is there, which is what resists loops. */
const MARGIN = 1
/** Entries used lately that are spared at most for one eviction, in the window and in the main part. */
const WINDOW_SPARES = 3
const MAIN_SPARES = 64
/** Slots are counted by blocks of so many, so that the hand need not walk over those where nothing is left. */
const BLOCK_SHIFT = 6
const BLOCK_MASK = (1 << BLOCK_SHIFT) - 1
/** Without a candidate, the least used of so many leaves. */
const COLDEST_OF = 8
/** A candidate at least this warm gets in against a warmer victim once in 128 times: an attacker must not keep the cache shut. */
const WARM = 6
const LUCK = 1 / 128
/** A newcomer that takes more than this share of the cache gets no place in the window, but must be admitted. */
const HUGE_SHARE = 0.125
/** A candidate for which more entries than this would have to leave is not admitted. */
const MOST_VICTIMS = 64

/**
 * Learns from the traffic how much of the cache should go to recency and how much to frequency.
 *
 * Newcomers enter a window, a queue that gives used entries another round (CLOCK). Who leaves it is a candidate for the main part, where a hand walks over
 * the slots and points at a victim (CLOCK again: Fernando Corbató, "A Paging Experiment with the Multics System", 1968): the one used more often
 * stays, as in W-TinyLFU (Einziger, Friedman and Manes, ACM Transactions on Storage 13(4), 2017), with frequencies kept per entry and, for
 * keys that left, in a `GhostTable`. The window's share follows the ratio of hits per entry in the window and in the main part, after the
 * density climbing of Caffeine, and the ratio of keys that soon come back among those that left either, after ARC (Nimrod Megiddo and
 * Dharmendra Modha, FAST 2003): the first tells what the parts are worth, the second what a little more of them would be. A hit writes
 * one byte and one counter. Of five bytes per entry, four are the ghosts.
 */
export class AdaptivePolicy implements Policy {
  readonly name = 'adaptive'
  private readonly slots: Slots<unknown, unknown>
  private readonly random: () => number
  private readonly ring: SlotRing
  private readonly ghosts = new GhostTable()
  private maxEntries = Number.POSITIVE_INFINITY
  private maxBytes = Number.POSITIVE_INFINITY
  private windowCount = 0
  private windowWeight = 0
  private mainWeight = 0
  private newest = -1
  private hand = 0
  private portion = FIRST_SHARE
  private hits = 0
  private windowHits = 0
  private inserts = 0
  /** Who left the window and the main part, and who of them soon came back. Halved at each steering. */
  private rejections = 0
  private regrets = 0
  private releases = 0
  private returns = 0
  /** How many entries of the main part stand in each block of slots. */
  private blocks: Uint8Array = new Uint8Array(0)
  /** Requests since frequencies were last halved, and where a halving under way stands; -1 for none. */
  private requests = 0
  private halving = -1

  constructor(slots: Slots<unknown, unknown>, random: () => number) {
    this.slots = slots
    this.random = random
    this.ring = new SlotRing(slots)
  }

  grow(capacity: number): void {
    this.ghosts.grow(capacity)
    const blocks = new Uint8Array((capacity >> BLOCK_SHIFT) + 1)
    blocks.set(this.blocks)
    this.blocks = blocks
  }

  insert(slot: number): void {
    const { meta, hashes } = this.slots
    let bits = WINDOW | 1
    if (this.ghosts.take(hashes[slot] as number)) {
      const { frequency, rejected, recent } = this.ghosts.found
      bits = WINDOW | Math.min(FREQUENCY, frequency + 1)
      if (recent) {
        if (rejected) this.regrets++
        else this.returns++
      }
    }
    // A slot that inherits a dead place in the queue did not wait its turn there: it gets another round.
    if (this.ring.holds(slot)) bits |= VISITED
    else this.ring.push(slot)
    meta[slot] = (meta[slot] as number) | bits
    this.windowCount++
    this.windowWeight += this.slots.weightAt(slot)
    this.newest = slot
    this.inserts++
    if (this.inserts + this.hits >= STEER_AFTER * Math.min(this.slots.count, this.maxEntries)) this.steer()
    if (this.halving >= 0) this.halve()
    // While there is room, who leaves the window gets in without a contest.
    if (!this.isFull() && this.isWindowOver(0)) this.promote(this.oldest())
  }

  // Without a branch: whether an entry is in the window is what nobody can predict.
  hit(slot: number): void {
    const meta = this.slots.meta
    const bits = meta[slot] as number
    meta[slot] = afterHit[bits] as number
    this.hits++
    this.windowHits += (bits >> WINDOW_SHIFT) & 1
  }

  reweigh(slot: number, before: number): void {
    const change = this.slots.weightAt(slot) - before
    if (this.isInWindow(slot)) this.windowWeight += change
    else this.mainWeight += change
  }

  evict(): number {
    const leaving = this.choose()
    const { meta, hashes } = this.slots
    const bits = meta[leaving] as number
    const rejected = (bits & WINDOW) !== 0
    if (rejected) this.rejections++
    else this.releases++
    this.ghosts.add(hashes[leaving] as number, bits & FREQUENCY, rejected)
    this.remove(leaving)
    return leaving
  }

  remove(slot: number): void {
    if (this.newest === slot) this.newest = -1
    if (this.isInWindow(slot)) {
      this.windowCount--
      this.windowWeight -= this.slots.weightAt(slot)
    } else {
      this.mainWeight -= this.slots.weightAt(slot)
      this.count(slot, -1)
    }
  }

  clear(): void {
    this.ring.clear()
    this.ghosts.clear()
    this.windowCount = 0
    this.windowWeight = 0
    this.mainWeight = 0
    this.blocks = new Uint8Array(0)
    this.newest = -1
    this.hand = 0
    this.halving = -1
  }

  limit(maxEntries: number, maxBytes: number): void {
    this.maxEntries = maxEntries
    this.maxBytes = maxBytes
  }

  *order(): Generator<number> {
    const { meta, high } = this.slots
    const main: number[] = []
    for (let slot = 0; slot < high; slot++) {
      if (((meta[slot] as number) & (LIVE | WINDOW)) === LIVE) main.push(slot)
    }
    main.sort((a, b) => this.uses(a) - this.uses(b))
    yield* main
    for (const slot of this.ring.slots()) if (this.slots.isLive(slot) && this.isInWindow(slot)) yield slot
  }

  uses(slot: number): number {
    return Math.max(0, ((this.slots.meta[slot] as number) & FREQUENCY) - 1)
  }

  check(): void {
    const standing = new Set<number>()
    for (const slot of this.ring.slots()) {
      if (standing.has(slot)) throw new Error(`slot ${slot} stands in the ring twice`)
      standing.add(slot)
    }
    let windowCount = 0
    let windowWeight = 0
    let mainWeight = 0
    const blocks = new Uint8Array(this.blocks.length)
    for (let slot = 0; slot < this.slots.high; slot++) {
      if (this.ring.holds(slot) !== standing.has(slot)) throw new Error(`slot ${slot} is not where its sticky bit says`)
      if (!this.slots.isLive(slot)) continue
      if (this.isInWindow(slot)) {
        windowCount++
        windowWeight += this.slots.weightAt(slot)
        if (!standing.has(slot)) throw new Error(`slot ${slot} is in the window but not in the ring`)
      } else {
        mainWeight += this.slots.weightAt(slot)
        blocks[slot >> BLOCK_SHIFT] = (blocks[slot >> BLOCK_SHIFT] as number) + 1
      }
    }
    if (blocks.some((count, block) => count !== this.blocks[block])) throw new Error('a block is not counted right')
    if (windowCount !== this.windowCount)
      throw new Error(`the window has ${windowCount} slots but counts ${this.windowCount}`)
    const error = Math.abs(windowWeight - this.windowWeight) + Math.abs(mainWeight - this.mainWeight)
    if (error > 1e-6 * (1 + windowWeight + mainWeight))
      throw new Error('the weights of window and main part are not their sums')
  }

  private isInWindow(slot: number): boolean {
    return ((this.slots.meta[slot] as number) & WINDOW) !== 0
  }

  private isFull(): boolean {
    return this.slots.count > this.maxEntries || this.windowWeight + this.mainWeight > this.maxBytes
  }

  /** Whether the window without `spare` weight holds more than its share. The newest always has a place. */
  private isWindowOver(spare: number): boolean {
    if (this.windowCount < 2) return false
    const total =
      this.slots.weights === null ? Math.min(this.slots.count, this.maxEntries) : this.windowWeight + this.mainWeight
    return this.windowWeight - spare > Math.max(this.portion * total, this.slots.weights === null ? 1 : 0)
  }

  private choose(): number {
    const candidate = this.candidate()
    if (candidate < 0) {
      const coldest = this.coldest()
      return coldest >= 0 ? coldest : this.oldest()
    }
    const victim = this.victim()
    if (victim < 0 || !this.admits(candidate, victim)) return candidate
    this.promote(candidate)
    return victim
  }

  /** Who must be admitted or leave: a huge newcomer, else the oldest of a window that is over its share; -1 when the main part must give. */
  private candidate(): number {
    const newest = this.newest
    const total = this.windowWeight + this.mainWeight
    if (newest >= 0 && this.slots.weights !== null && this.isInWindow(newest)) {
      if (this.slots.weightAt(newest) > Math.max(this.portion, HUGE_SHARE) * total) return newest
    }
    // When the share has fallen, the window gives one more entry than it gets, until it fits.
    const gained = newest >= 0 && this.isInWindow(newest) ? this.slots.weightAt(newest) : 0
    const next = this.slots.weights === null ? 0 : this.windowWeight / this.windowCount
    if (gained > 0 && this.isWindowOver(gained + next)) this.promote(this.oldest())
    return this.isWindowOver(0) ? this.oldest() : -1
  }

  /** Takes the next that leaves the window out of the ring; it still counts as being in the window. -1 when the window is empty. */
  private oldest(): number {
    const meta = this.slots.meta
    let spares = WINDOW_SPARES
    while (this.ring.length > 0) {
      const slot = this.ring.shift()
      const bits = meta[slot] as number
      if ((bits & (LIVE | WINDOW)) !== (LIVE | WINDOW)) continue
      // The newcomer survives its own arrival: what was set can be read.
      const isNewest = slot === this.newest && this.windowCount > 1
      if (!isNewest && ((bits & VISITED) === 0 || spares-- <= 0)) return slot
      meta[slot] = bits & ~VISITED
      this.ring.push(slot)
    }
    return -1
  }

  private promote(slot: number): void {
    if (slot < 0) return
    const meta = this.slots.meta
    meta[slot] = (meta[slot] as number) & ~(WINDOW | VISITED)
    const weight = this.slots.weightAt(slot)
    this.windowCount--
    this.windowWeight -= weight
    this.mainWeight += weight
    this.count(slot, 1)
  }

  private count(slot: number, change: number): void {
    const block = slot >> BLOCK_SHIFT
    this.blocks[block] = (this.blocks[block] as number) + change
  }

  /** The first slot of the main part from this one on, round the end. There must be one. */
  private nextInMain(from: number): number {
    const { meta, high } = this.slots
    for (let slot = from; ; slot++) {
      if (slot >= high) slot = 0
      while ((slot & BLOCK_MASK) === 0 && this.blocks[slot >> BLOCK_SHIFT] === 0) {
        slot += BLOCK_MASK + 1
        if (slot >= high) slot = 0
      }
      if (((meta[slot] as number) & (LIVE | WINDOW)) === LIVE) return slot
    }
  }

  /** The entry of the main part that the hand points at, or -1 when there is none. */
  private victim(): number {
    const { meta, count } = this.slots
    if (count === this.windowCount) return -1
    let spares = MAIN_SPARES
    for (;;) {
      const slot = this.nextInMain(this.hand)
      this.hand = slot + 1
      const bits = meta[slot] as number
      // A huge newcomer that was admitted is not its own victim.
      if (slot === this.newest && count - this.windowCount > 1) continue
      if ((bits & VISITED) === 0 || spares-- <= 0) return slot
      meta[slot] = bits & ~VISITED
    }
  }

  /** The least used of some victims, for when there is no candidate to compare with; -1 when the main part is empty. */
  private coldest(): number {
    const meta = this.slots.meta
    let coldest = this.victim()
    for (let looks = 1; looks < COLDEST_OF && coldest >= 0 && ((meta[coldest] as number) & FREQUENCY) > 1; looks++) {
      const other = this.victim()
      if (((meta[other] as number) & FREQUENCY) < ((meta[coldest] as number) & FREQUENCY)) coldest = other
    }
    return coldest
  }

  /** Whether the candidate was used more often than every entry that would leave for it. */
  private admits(candidate: number, victim: number): boolean {
    const meta = this.slots.meta
    const frequency = (meta[candidate] as number) & FREQUENCY
    if (frequency <= ((meta[victim] as number) & FREQUENCY) + MARGIN) return frequency >= WARM && this.random() < LUCK
    if (this.slots.weights === null) return true
    let room = this.slots.weightAt(candidate) - this.slots.weightAt(victim)
    let slot = victim
    for (let victims = 1; room > 0; victims++) {
      slot = this.nextInMain(slot + 1)
      // Round the whole main part, without finding enough room.
      if (victims === MOST_VICTIMS || slot === victim) return false
      if (frequency <= ((meta[slot] as number) & FREQUENCY) + MARGIN) return false
      room -= this.slots.weightAt(slot)
    }
    return true
  }

  private steer(): void {
    const count = this.slots.count
    const weighted = this.slots.weights !== null
    const window = Math.max(1, weighted ? this.windowWeight : this.windowCount)
    const main = Math.max(1, weighted ? this.mainWeight : count - this.windowCount)
    const windowDensity = (this.windowHits + REGRET * this.regrets + 0.5) / window
    const mainDensity = (this.hits - this.windowHits + 0.5) / main
    const ratio = (windowDensity / mainDensity) ** DENSITY_POWER * this.returnRatio() ** RETURN_POWER
    const step = Math.min(MOST_STEP, Math.max(1 / MOST_STEP, ratio))
    this.portion = Math.min(MOST_SHARE, Math.max(LEAST_SHARE, this.portion * step))
    this.requests += this.hits + this.inserts
    this.hits = 0
    this.windowHits = 0
    this.inserts = 0
    this.rejections /= 2
    this.regrets /= 2
    this.releases /= 2
    this.returns /= 2
    if (this.requests >= HALVE_AFTER * count) {
      this.requests = 0
      this.halving = 0
    }
  }

  /** How much more likely a key soon comes back that left the window than one that left the main part. */
  private returnRatio(): number {
    const all = (this.regrets + this.returns + 0.5) / (this.rejections + this.releases + 1)
    const fromWindow = (this.regrets + DOUBT * all) / (this.rejections + DOUBT)
    const fromMain = (this.returns + DOUBT * all) / (this.releases + DOUBT)
    return fromWindow / fromMain
  }

  /** A step of the halving: all at once would pause a large cache for milliseconds. */
  private halve(): void {
    const { meta, high } = this.slots
    const end = this.halving + HALVE_STEP
    for (let slot = this.halving; slot < Math.min(end, high); slot++) {
      const bits = meta[slot] as number
      meta[slot] = (bits & ~FREQUENCY) | ((bits & FREQUENCY) >> 1)
    }
    this.ghosts.halve(this.halving, end)
    this.halving = end >= high && end >= this.ghosts.length ? -1 : end
  }
}
