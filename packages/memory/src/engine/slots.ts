/** The slot holds an entry. */
export const liveBit = 0x80
/** A bit of the policy that keeps its value when the slot is released and taken again. */
export const stickyBit = 0x40
/** The bits of the policy, which are 0 when a slot is taken. */
export const policyBits = 0x3f

const chunkShift = 14
const chunkSlots = 1 << chunkShift
const chunkMask = chunkSlots - 1
const firstCapacity = 16

/**
 * The entries of a cache as a structure of arrays: an entry is a slot number. Numbers are in typed arrays, which the
 * garbage collector does not scan. Keys and values are side by side in chunks, so growth never copies more than one chunk.
 *
 * The class has no `#private` names: with them, V8 needs more bytecode for `chunkOf` and inlines less of a hit.
 */
export class Slots<K, V> {
  /** One byte per slot: `policyBits`, `stickyBit` and `liveBit`. */
  meta: Uint8Array = new Uint8Array(0)
  /** The hash of the key; in a free slot, the number of the next free slot. */
  hashes: Int32Array = new Int32Array(0)
  /** The weight of each entry; `undefined` if every entry weighs 1. */
  weights: Float64Array | undefined
  /** The instant from which an entry is expired, `Infinity` for never; `undefined` until the first lifetime is set. */
  expiryTimes: Float64Array | undefined = undefined
  capacity = 0
  /** Only slots below this number have ever been used. */
  high = 0
  /** Slots that hold an entry. */
  count = 0
  chunks: unknown[][] = []
  /** The first chunk, the only one of a small cache: two loads less for each key. */
  firstChunk: unknown[] = []
  /** The first free slot of a linked list, or -1. */
  freeSlot = -1

  constructor(weighted: boolean) {
    this.weights = weighted ? new Float64Array(0) : undefined
  }

  keyAt(slot: number): K {
    return this.chunkOf(slot)[(slot & chunkMask) << 1] as K
  }

  /** The chunk that holds the key of a slot, at `placeOf(slot)`, and its value, at the next place. */
  chunkOf(slot: number): readonly unknown[] {
    return slot < chunkSlots ? this.firstChunk : (this.chunks[slot >> chunkShift] as unknown[])
  }

  placeOf(slot: number): number {
    return (slot & chunkMask) << 1
  }

  valueAt(slot: number): V {
    return (this.chunks[slot >> chunkShift] as unknown[])[((slot & chunkMask) << 1) | 1] as V
  }

  setValue(slot: number, value: V): void {
    ;(this.chunks[slot >> chunkShift] as unknown[])[((slot & chunkMask) << 1) | 1] = value
  }

  isLive(slot: number): boolean {
    return ((this.meta[slot] as number) & liveBit) !== 0
  }

  weightAt(slot: number): number {
    return this.weights === undefined ? 1 : (this.weights[slot] as number)
  }

  expiryTimeAt(slot: number): number {
    return this.expiryTimes === undefined ? Number.POSITIVE_INFINITY : (this.expiryTimes[slot] as number)
  }

  /** Puts the entry into a free slot and returns it. Requires that `isFull()` is false. */
  take(key: K, value: V, hash: number): number {
    let slot = this.freeSlot
    if (slot >= 0) this.freeSlot = this.hashes[slot] as number
    else slot = openSlot(this)
    const chunk = this.chunks[slot >> chunkShift] as unknown[]
    const place = (slot & chunkMask) << 1
    chunk[place] = key
    chunk[place | 1] = value
    this.hashes[slot] = hash
    this.meta[slot] = ((this.meta[slot] as number) & stickyBit) | liveBit
    this.count += 1
    return slot
  }

  /** Frees the slot and drops its key and value. */
  release(slot: number): void {
    const chunk = this.chunks[slot >> chunkShift] as unknown[]
    const place = (slot & chunkMask) << 1
    chunk[place] = undefined
    chunk[place | 1] = undefined
    this.meta[slot] = (this.meta[slot] as number) & stickyBit
    this.hashes[slot] = this.freeSlot
    this.freeSlot = slot
    this.count -= 1
  }

  isFull(): boolean {
    return this.freeSlot < 0 && this.high === this.capacity
  }

  /** Grows to about twice the capacity, at most to `most` slots. Returns the new capacity. */
  grow(most: number): number {
    const wanted = Math.min(Math.max(firstCapacity, this.capacity * 2), Math.max(most, this.capacity + 1))
    this.capacity = wanted
    this.meta = enlarged(this.meta, new Uint8Array(wanted))
    this.hashes = enlarged(this.hashes, new Int32Array(wanted))
    if (this.weights !== undefined) this.weights = enlarged(this.weights, new Float64Array(wanted))
    if (this.expiryTimes !== undefined) this.expiryTimes = enlarged(this.expiryTimes, new Float64Array(wanted))
    return wanted
  }

  /** Creates `expiryTimes` if it is absent; present entries never expire. */
  openExpiryTimes(): Float64Array {
    if (this.expiryTimes === undefined)
      this.expiryTimes = new Float64Array(this.capacity).fill(Number.POSITIVE_INFINITY)
    return this.expiryTimes
  }

  clear(): void {
    this.meta = new Uint8Array(0)
    this.hashes = new Int32Array(0)
    if (this.weights !== undefined) this.weights = new Float64Array(0)
    this.expiryTimes = undefined
    this.chunks = []
    this.firstChunk = []
    this.freeSlot = -1
    this.capacity = 0
    this.high = 0
    this.count = 0
  }
}

function openSlot(slots: Slots<unknown, unknown>): number {
  const slot = slots.high
  slots.high += 1
  const chunk = slots.chunks[slot >> chunkShift]
  if (chunk === undefined || chunk.length <= (slot & chunkMask) << 1) openChunk(slots, slot)
  return slot
}

// A chunk is created when its first slot is used. Only the last chunk grows with the capacity.
function openChunk(slots: Slots<unknown, unknown>, slot: number): void {
  const index = slot >> chunkShift
  const wanted = Math.min(chunkSlots, slots.capacity - index * chunkSlots)
  const chunk = enlargedChunk(slots.chunks[index] ?? [], wanted)
  slots.chunks[index] = chunk
  if (index === 0) slots.firstChunk = chunk
}

function enlarged<T extends Uint8Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from)
  return to
}

// Filled with `undefined`, so that V8 never chooses an array of small integers or doubles: all chunks keep one shape.
function emptyChunk(slots: number): unknown[] {
  return new Array<unknown>(slots * 2).fill(undefined)
}

function enlargedChunk(from: unknown[], slots: number): unknown[] {
  const to = emptyChunk(slots)
  for (let i = 0; i < from.length; i += 1) to[i] = from[i]
  return to
}
