import { type Clock, invalidArgument } from '@cache/core/backend'
import type { Policy } from '../policy/policy.ts'
import type { RemovalReason } from '../removal-reason.ts'
import type { CoarseClock } from './coarse-clock.ts'
import { KeyIndex } from './key-index.ts'
import { Slots } from './slots.ts'
import { Sweeper } from './sweeper.ts'

/** Receives removed entries: always those that a limit or their lifetime removed, the others only with `everyReason`. */
export interface RemovalListener<K, V> {
  readonly everyReason: boolean
  emit(key: K, value: V, reason: RemovalReason): void
}

export interface EngineOptions<K, V> {
  readonly maxEntries: number
  readonly maxBytes: number
  /** An entry that weighs more is not stored. */
  readonly maxEntryBytes: number
  readonly weigh: ((value: V, key: K) => number) | undefined
  readonly clock: Clock
  /** `clock` if that is a coarse clock, else `unusedClock`. Always one class, so that V8 sees one shape in every hit. */
  readonly coarseClock: CoarseClock
  /** Whether a timer also removes expired entries. `false` with an injected clock: a timer cannot follow its time. */
  readonly reclaimWhenIdle: boolean
  readonly policy: (slots: Slots<unknown, unknown>) => Policy
  readonly listener: RemovalListener<K, V> | undefined
  /** Numbers from 0 (inclusive) to 1 (exclusive), for the seed of the index. */
  readonly random: () => number
}

/** The coarse clock learns of hits in groups of this size. A power of two, less than its `maxCallsPerRead`. */
const hitsPerReport = 16

/** Equal to no key. */
const noKey: unknown = {}

/**
 * The bounded map behind `BoundedMap` and `MemoryBackend`: slots, the index that finds them, the policy that chooses which
 * entry to evict, and the sweeper of expired entries. The caller has checked the arguments.
 */
export class Engine<K, V> {
  readonly slots: Slots<K, V>
  readonly index: KeyIndex<K, V>
  readonly policy: Policy
  readonly clock: Clock
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
  readonly #coarseClock: CoarseClock
  readonly #weigh: ((value: V, key: K) => number) | undefined
  readonly #listener: RemovalListener<K, V> | undefined
  readonly #emitsEveryReason: boolean
  readonly #sweeper: Sweeper
  /** The string that the last miss looked for, and its hash: a read-through caller sets that key next. */
  #missedKey: unknown = noKey
  #missedHash = 0

  constructor(options: EngineOptions<K, V>) {
    this.maxEntries = options.maxEntries
    this.maxBytes = options.maxBytes
    this.maxEntryBytes = options.maxEntryBytes
    this.clock = options.clock
    this.#coarseClock = options.coarseClock
    this.#weigh = options.weigh
    this.#listener = options.listener
    this.#emitsEveryReason = options.listener?.everyReason ?? false
    this.slots = new Slots(options.weigh !== undefined)
    this.index = new KeyIndex(this.slots, options.random)
    this.policy = options.policy(this.slots)
    this.index.onRehash = this.policy.rehash?.bind(this.policy)
    this.policy.limit(options.maxEntries, options.maxBytes)
    this.#sweeper = new Sweeper(this, options.reclaimWhenIdle)
  }

  // The usual hit, without a loop. The value comes from the chunk in which the key was compared. The methods that it calls
  // have no `#private` names: with them, V8 needs more bytecode and inlines less of a hit.
  get(key: K): V | undefined {
    const { index, slots } = this
    const hash = index.hasher.hash(key)
    const slot = index.guess(hash)
    if (slot >= 0) {
      const chunk = slots.chunkOf(slot)
      const place = slots.placeOf(slot)
      if (chunk[place] === key && (slots.expiryTimes === undefined || this.isBeyondHorizon(slot))) {
        this.hits += 1
        this.policy.hit(slot)
        return chunk[place | 1] as V
      }
    }
    return this.getBySearch(key, hash)
  }

  getBySearch(key: K, hash: number): V | undefined {
    const slot = this.index.find(key, hash)
    if (slot < 0) {
      if (typeof key === 'string') {
        this.#missedKey = key
        this.#missedHash = hash
      }
    } else if (this.#isLive(slot)) {
      this.hits += 1
      this.policy.hit(slot)
      return this.slots.valueAt(slot)
    }
    this.misses += 1
    return undefined
  }

  /** The value. Does not count as a use. */
  peek(key: K): V | undefined {
    const slot = this.find(key)
    return slot < 0 ? undefined : this.slots.valueAt(slot)
  }

  /** The slot of a live entry, or -1. */
  find(key: K): number {
    const slot = this.index.find(key, this.index.hash(key))
    return slot < 0 || (this.slots.expiryTimes !== undefined && this.#expireIfDue(slot)) ? -1 : slot
  }

  /** Stores the entry until `expiresAt`. Returns `false` if it was not stored: already expired, or too heavy. */
  set(key: K, value: V, expiresAt: number): boolean {
    const weight = this.#weigh === undefined ? 1 : checkedWeight(this.#weigh(value, key))
    const isMissedKey = key === this.#missedKey
    const hash = isMissedKey ? this.#missedHash : this.index.hash(key)
    const found = isMissedKey ? -1 : this.index.find(key, hash)
    const isExpired = expiresAt !== Number.POSITIVE_INFINITY && expiresAt <= this.clock.now()
    if (found >= 0) {
      // The listener of the expiry may have set this very key: look up again, so that it is not inserted twice.
      if (this.slots.expiryTimes !== undefined && this.#expireIfDue(found)) return this.set(key, value, expiresAt)
      if (!isExpired && weight <= this.maxEntryBytes) return this.#overwrite(found, value, weight, expiresAt)
      this.#drop(found, 'replaced')
    }
    if (isExpired) return false
    if (weight > this.maxEntryBytes) {
      this.refused += 1
      this.#listener?.emit(key, value, 'oversize')
      return false
    }
    this.sets += 1
    if (this.slots.isFull()) this.#grow()
    const slot = this.slots.take(key, value, hash)
    this.bytes += weight
    if (this.slots.weights !== undefined) this.slots.weights[slot] = weight
    this.#setExpiryTime(slot, expiresAt)
    // Before the index changes: from here on, the missed key may be present, or its hash may have another seed.
    this.#missedKey = noKey
    this.index.insert(key, slot)
    this.policy.insert(slot)
    this.#evictToLimit()
    return true
  }

  /** Gives the entry of a live slot another end. */
  renew(slot: number, expiresAt: number): void {
    this.#setExpiryTime(slot, expiresAt)
  }

  delete(key: K): boolean {
    const slot = this.find(key)
    if (slot < 0) return false
    this.deletes += 1
    this.#drop(slot, 'deleted')
    return true
  }

  clear(): void {
    if (this.#emitsEveryReason) {
      for (const slot of this.liveSlots()) this.#drop(slot, 'cleared')
      // A listener has set entries during the clear. They stay: removing them here would emit nothing.
      if (this.slots.count > 0) return
    }
    this.slots.clear()
    this.index.clear()
    this.policy.clear()
    this.#sweeper.clear()
    this.bytes = 0
  }

  /** Removes the entry of a live slot, for a `clear` of a part of the entries. */
  clearSlot(slot: number): void {
    this.#drop(slot, 'cleared')
  }

  resize(maxEntries: number): void {
    this.maxEntries = maxEntries
    this.policy.limit(maxEntries, this.maxBytes)
    this.#evictToLimit()
    this.index.shrink(Math.min(this.maxEntries, this.slots.count))
  }

  /** The slots of live entries that have not expired. Entries added or removed during the iteration may or may not appear. */
  *liveSlots(): Generator<number> {
    const slots = this.slots
    for (let slot = 0; slot < slots.high; slot += 1) {
      if (slots.isLive(slot) && !(slots.expiryTimes !== undefined && this.#expireIfDue(slot))) yield slot
    }
  }

  /** Removes every expired entry. Returns their number. */
  removeExpired(): number {
    const before = this.expired
    if (this.slots.expiryTimes !== undefined) this.#sweeper.sweepAll()
    return this.expired - before
  }

  /** Removes the entry of a live slot that has expired. */
  expire(slot: number): void {
    this.expired += 1
    this.#drop(slot, 'expired')
  }

  /** Like `!expireIfDue`, but calls a clock only if the horizon does not decide: its result would be a number on the heap. */
  #isLive(slot: number): boolean {
    return this.slots.expiryTimes === undefined || this.isBeyondHorizon(slot) || !this.#expireIfDue(slot)
  }

  // A call of the clock costs a tenth of a hit, so most hits compare with its last answer only.
  // The argument is the slot: an expiry time would be a number on the heap wherever V8 does not inline this call.
  isBeyondHorizon(slot: number): boolean {
    const clock = this.#coarseClock
    if ((this.hits & (hitsPerReport - 1)) === 0) clock.spend(hitsPerReport)
    return ((this.slots.expiryTimes as Float64Array)[slot] as number) > clock.horizon && Date.now === clock.source
  }

  #expireIfDue(slot: number): boolean {
    const expiresAt = (this.slots.expiryTimes as Float64Array)[slot] as number
    // Entries without a lifetime do not even read the clock.
    if (expiresAt === Number.POSITIVE_INFINITY || expiresAt > this.clock.now()) return false
    this.expire(slot)
    return true
  }

  #overwrite(slot: number, value: V, weight: number, expiresAt: number): boolean {
    const slots = this.slots
    this.sets += 1
    const key = slots.keyAt(slot)
    const replaced = slots.valueAt(slot)
    slots.setValue(slot, value)
    this.#setExpiryTime(slot, expiresAt)
    const before = slots.weightAt(slot)
    if (slots.weights !== undefined && before !== weight) {
      slots.weights[slot] = weight
      this.bytes += weight - before
      this.policy.reweigh(slot, before)
    }
    this.policy.hit(slot)
    if (this.#emitsEveryReason) this.#listener?.emit(key, replaced, 'replaced')
    this.#evictToLimit()
    return true
  }

  #setExpiryTime(slot: number, expiresAt: number): void {
    const slots = this.slots
    if (slots.expiryTimes === undefined) {
      if (expiresAt === Number.POSITIVE_INFINITY) return
      slots.openExpiryTimes()
    }
    ;(slots.expiryTimes as Float64Array)[slot] = expiresAt
    if (expiresAt !== Number.POSITIVE_INFINITY) this.#sweeper.add(expiresAt)
  }

  // A listener may call this engine again, so every step leaves consistent data and reads the limits anew.
  #evictToLimit(): void {
    if (this.slots.expiryTimes !== undefined) this.#sweeper.step()
    while (this.slots.count > this.maxEntries || this.bytes > this.maxBytes) {
      if (this.slots.count > this.maxEntries) {
        this.evictedForEntries += 1
        this.#removeEntry(this.policy.evict(), 'entries')
      } else {
        this.evictedForBytes += 1
        this.#removeEntry(this.policy.evict(), 'bytes')
      }
    }
  }

  #drop(slot: number, reason: RemovalReason): void {
    this.policy.remove(slot)
    this.#removeEntry(slot, reason)
  }

  /** Removes the entry from everything but the policy. */
  #removeEntry(slot: number, reason: RemovalReason): void {
    const slots = this.slots
    const key = slots.keyAt(slot)
    const value = slots.valueAt(slot)
    this.index.remove(key, slot)
    this.bytes -= slots.weightAt(slot)
    slots.release(slot)
    const listener = this.#listener
    if (listener === undefined) return
    if (this.#emitsEveryReason || (reason !== 'deleted' && reason !== 'cleared' && reason !== 'replaced')) {
      listener.emit(key, value, reason)
    }
  }

  #grow(): void {
    // One slot more than the limit: a new entry is inserted before the policy chooses the entry to evict.
    this.policy.grow(this.slots.grow(this.maxEntries + 1))
  }
}

function checkedWeight(weight: number): number {
  if (typeof weight !== 'number' || !(weight >= 0) || weight === Number.POSITIVE_INFINITY) {
    throw invalidArgument('the result of weigh', weight, 'a finite number of 0 or more', 'set')
  }
  return weight
}
