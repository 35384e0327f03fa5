import { type Clock, invalidArgument } from '@cache/core/backend'
import type { Policy } from '../policy/policy.ts'
import type { RemovalReason } from '../removal-reason.ts'
import type { CoarseClock } from './coarse-clock.ts'
import { KeyIndex } from './key-index.ts'
import { Slots } from './slots.ts'
import { Sweeper } from './sweeper.ts'

/** Hears of entries that left. Always of those that a limit or their lifetime took; of the others only where `tellsRemovals`. */
export interface EvictionTeller<K, V> {
  readonly tellsRemovals: boolean
  tell(key: K, value: V, reason: RemovalReason): void
}

export interface EngineOptions<K, V> {
  readonly maxEntries: number
  readonly maxBytes: number
  /** An entry that weighs more is not stored. */
  readonly maxEntryBytes: number
  readonly weigh: ((value: V, key: K) => number) | null
  readonly clock: Clock
  /** `clock` where that is a coarse one, else one that is never read. A class of its own, so that V8 sees one shape in every hit. */
  readonly coarse: CoarseClock
  /** Whether expired entries are also reclaimed while nobody writes. Not with an injected clock, whose time a timer cannot follow. */
  readonly reclaimWhenIdle: boolean
  readonly policy: (slots: Slots<unknown, unknown>) => Policy
  readonly teller: EvictionTeller<K, V> | null
  /** Numbers from 0 to 1, for the seed of the index. */
  readonly random: () => number
}

/** One in so many hits tells the coarse clock, for all of them. A power of two, less than its `MOST_READS`. */
const HITS_AT_ONCE = 16

/** Equal to no key. */
const NOTHING: unknown = {}

/**
 * The bounded map behind `BoundedMap` and `MemoryBackend`: slots, the index that finds them, the policy that picks who leaves,
 * and the sweeper of expired ones. Arguments were checked by the caller.
 */
export class Engine<K, V> {
  readonly slots: Slots<K, V>
  readonly index: KeyIndex<K, V>
  readonly policy: Policy
  readonly clock: Clock
  private readonly coarse: CoarseClock
  maxEntries: number
  readonly maxBytes: number
  readonly maxEntryBytes: number
  bytes = 0
  hits = 0
  misses = 0
  sets = 0
  deletes = 0
  expired = 0
  evictedForEntries = 0
  evictedForBytes = 0
  refused = 0
  private readonly weigh: ((value: V, key: K) => number) | null
  private readonly teller: EvictionTeller<K, V> | null
  private readonly tellsRemovals: boolean
  private readonly sweeper: Sweeper<K, V>
  /** The string that was looked for last and is not in, and its hash: who reads through a cache sets next what it missed. */
  private missed: unknown = NOTHING
  private missedHash = 0

  constructor(options: EngineOptions<K, V>) {
    this.maxEntries = options.maxEntries
    this.maxBytes = options.maxBytes
    this.maxEntryBytes = options.maxEntryBytes
    this.clock = options.clock
    this.coarse = options.coarse
    this.weigh = options.weigh
    this.teller = options.teller
    this.tellsRemovals = options.teller?.tellsRemovals ?? false
    this.slots = new Slots(options.weigh !== null)
    this.index = new KeyIndex(this.slots, options.random)
    this.policy = options.policy(this.slots)
    this.policy.limit(options.maxEntries, options.maxBytes)
    this.sweeper = new Sweeper(this, options.reclaimWhenIdle)
  }

  // The usual hit, written out: the value comes from the chunk that the key was compared in, and no loop is part of it.
  get(key: K): V | undefined {
    const { index, slots } = this
    const hash = index.hasher.hash(key)
    const slot = index.guess(hash)
    if (slot < 0) return this.getFar(key, hash)
    const chunk = slots.chunkOf(slot)
    const place = slots.placeOf(slot)
    if (chunk[place] !== key || (slots.deadlines !== null && !this.isBeyondHorizon(slot))) return this.getFar(key, hash)
    this.hits++
    this.policy.hit(slot)
    return chunk[place | 1] as V
  }

  private getFar(key: K, hash: number): V | undefined {
    const slot = this.index.find(key, hash)
    if (slot < 0) {
      if (typeof key === 'string') {
        this.missed = key
        this.missedHash = hash
      }
    } else if (this.isLive(slot)) {
      this.hits++
      this.policy.hit(slot)
      return this.slots.valueAt(slot)
    }
    this.misses++
    return undefined
  }

  /** The value, without counting as a use. */
  peek(key: K): V | undefined {
    const slot = this.find(key)
    return slot < 0 ? undefined : this.slots.valueAt(slot)
  }

  /** The slot of a live entry, or -1. */
  find(key: K): number {
    const slot = this.index.find(key, this.index.hash(key))
    return slot < 0 || (this.slots.deadlines !== null && this.expireIfDue(slot)) ? -1 : slot
  }

  /** Stores the entry until `deadline`. Returns false when it was not stored: expired already, or too heavy. */
  set(key: K, value: V, deadline: number): boolean {
    const weight = this.weigh === null ? 1 : checkedWeight(this.weigh(value, key))
    const missed = key === this.missed
    const hash = missed ? this.missedHash : this.index.hash(key)
    const found = missed ? -1 : this.index.find(key, hash)
    const due = deadline !== Number.POSITIVE_INFINITY && deadline <= this.clock.now()
    if (found >= 0) {
      // The callback of the expiry may have set this very key: look again rather than insert it twice.
      if (this.slots.deadlines !== null && this.expireIfDue(found)) return this.set(key, value, deadline)
      if (!due && weight <= this.maxEntryBytes) return this.overwrite(found, value, weight, deadline)
      this.drop(found, 'replaced')
    }
    if (due) return false
    if (weight > this.maxEntryBytes) {
      this.refused++
      this.teller?.tell(key, value, 'oversize')
      return false
    }
    this.sets++
    if (this.slots.isFull()) this.grow()
    const slot = this.slots.take(key, value, hash)
    this.bytes += weight
    if (this.slots.weights !== null) this.slots.weights[slot] = weight
    this.setDeadline(slot, deadline)
    // Before the index moves on: another key, another seed, or this very key is in from here on.
    this.missed = NOTHING
    this.index.insert(key, slot)
    this.policy.insert(slot)
    this.settle()
    return true
  }

  delete(key: K): boolean {
    const slot = this.find(key)
    if (slot < 0) return false
    this.deletes++
    this.drop(slot, 'deleted')
    return true
  }

  clear(): void {
    if (this.tellsRemovals) {
      for (const slot of this.liveSlots()) this.drop(slot, 'cleared')
      // What a callback set meanwhile came after the clear, and nobody would be told that it left.
      if (this.slots.count > 0) return
    }
    this.slots.clear()
    this.index.clear()
    this.policy.clear()
    this.sweeper.clear()
    this.bytes = 0
  }

  /** Removes the entry of a live slot because of a `clear` that spares others. */
  clearSlot(slot: number): void {
    this.drop(slot, 'cleared')
  }

  resize(maxEntries: number): void {
    this.maxEntries = maxEntries
    this.policy.limit(maxEntries, this.maxBytes)
    this.settle()
    this.index.shrink(Math.min(this.maxEntries, this.slots.count))
  }

  /** Live entries that have not expired, by slot. Entries that are added or removed meanwhile may or may not appear. */
  *liveSlots(): Generator<number> {
    const slots = this.slots
    for (let slot = 0; slot < slots.high; slot++) {
      if (slots.isLive(slot) && !(slots.deadlines !== null && this.expireIfDue(slot))) yield slot
    }
  }

  /** Removes every expired entry. Returns how many. */
  removeExpired(): number {
    const before = this.expired
    if (this.slots.deadlines !== null) this.sweeper.sweepAll()
    return this.expired - before
  }

  expire(slot: number): void {
    this.expired++
    this.drop(slot, 'expired')
  }

  /** As `expireIfDue`, but it reads a clock only where the horizon does not settle it: an instant from there would be a number on the heap. */
  private isLive(slot: number): boolean {
    return this.slots.deadlines === null || this.isBeyondHorizon(slot) || !this.expireIfDue(slot)
  }

  // Asking the clock costs a tenth of a hit: most hits compare with its last answer only.
  // Takes the slot: a deadline as an argument would be a number on the heap wherever V8 leaves this a call.
  private isBeyondHorizon(slot: number): boolean {
    if ((this.hits & (HITS_AT_ONCE - 1)) === 0) this.coarse.spend(HITS_AT_ONCE)
    return ((this.slots.deadlines as Float64Array)[slot] as number) > this.coarse.horizon
  }

  private expireIfDue(slot: number): boolean {
    const deadline = (this.slots.deadlines as Float64Array)[slot] as number
    // Entries without a lifetime do not even read the clock.
    if (deadline === Number.POSITIVE_INFINITY || deadline > this.clock.now()) return false
    this.expire(slot)
    return true
  }

  private overwrite(slot: number, value: V, weight: number, deadline: number): boolean {
    const slots = this.slots
    this.sets++
    const key = slots.keyAt(slot)
    const replaced = slots.valueAt(slot)
    slots.setValue(slot, value)
    this.setDeadline(slot, deadline)
    const before = slots.weightAt(slot)
    if (slots.weights !== null && before !== weight) {
      slots.weights[slot] = weight
      this.bytes += weight - before
      this.policy.reweigh(slot, before)
    }
    this.policy.hit(slot)
    if (this.tellsRemovals) this.teller?.tell(key, replaced, 'replaced')
    this.settle()
    return true
  }

  private setDeadline(slot: number, deadline: number): void {
    const slots = this.slots
    if (slots.deadlines === null) {
      if (deadline === Number.POSITIVE_INFINITY) return
      slots.openDeadlines()
    }
    ;(slots.deadlines as Float64Array)[slot] = deadline
    if (deadline !== Number.POSITIVE_INFINITY) this.sweeper.add(deadline)
  }

  // A callback may call this cache again: every step leaves it whole, and the limits are read anew each time.
  private settle(): void {
    if (this.slots.deadlines !== null) this.sweeper.step()
    while (this.slots.count > this.maxEntries || this.bytes > this.maxBytes) {
      if (this.slots.count > this.maxEntries) {
        this.evictedForEntries++
        this.forget(this.policy.evict(), 'entries')
      } else {
        this.evictedForBytes++
        this.forget(this.policy.evict(), 'bytes')
      }
    }
  }

  private drop(slot: number, reason: RemovalReason): void {
    this.policy.remove(slot)
    this.forget(slot, reason)
  }

  private forget(slot: number, reason: RemovalReason): void {
    const slots = this.slots
    const key = slots.keyAt(slot)
    const value = slots.valueAt(slot)
    this.index.remove(key, slot)
    this.bytes -= slots.weightAt(slot)
    slots.release(slot)
    if (this.teller === null) return
    if (this.tellsRemovals || (reason !== 'deleted' && reason !== 'cleared' && reason !== 'replaced')) {
      this.teller.tell(key, value, reason)
    }
  }

  private grow(): void {
    // One slot more than the limit: a new entry is in before the policy says who leaves.
    this.policy.grow(this.slots.grow(this.maxEntries + 1))
  }
}

function checkedWeight(weight: number): number {
  if (typeof weight !== 'number' || !(weight >= 0) || weight === Number.POSITIVE_INFINITY) {
    throw invalidArgument('the result of weigh', weight, 'a finite number of 0 or more', 'set')
  }
  return weight
}
