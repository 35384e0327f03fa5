/** Entry is in use. */
export const LIVE = 0x80
/** A bit of the policy that stays when the slot is released and taken again. */
export const STICKY = 0x40
/** The bits of the meta byte that belong to the policy and are 0 when a slot is taken. */
export const POLICY_BITS = 0x3f

const CHUNK_SHIFT = 14
const CHUNK_SLOTS = 1 << CHUNK_SHIFT
const CHUNK_MASK = CHUNK_SLOTS - 1
const FIRST_CAPACITY = 16

/**
 * The entries of a cache as a structure of arrays: an entry is a slot number. Numbers live in typed arrays, which the
 * garbage collector need not walk; keys and values lie side by side in chunks, so that growth never copies more than one chunk.
 */
export class Slots<K, V> {
  /** Bits 0 to 5 are the policy's; then STICKY and LIVE. */
  meta: Uint8Array = new Uint8Array(0)
  /** The key's hash; in a free slot, the next free slot. */
  hashes: Int32Array = new Int32Array(0)
  /** Weight of each entry; null while every entry weighs 1. */
  weights: Float64Array | null
  /** Instant from which an entry is expired, Infinity for never; null until the first lifetime is set. */
  deadlines: Float64Array | null = null
  capacity = 0
  /** Slots below this number have been used at some time. */
  high = 0
  /** Slots in use. */
  count = 0
  private chunks: unknown[][] = []
  /** The first chunk by itself, which is all of a small cache: two loads less on the way to a key. */
  private first: unknown[] = []
  private free = -1

  constructor(weighted: boolean) {
    this.weights = weighted ? new Float64Array(0) : null
  }

  keyAt(slot: number): K {
    return this.chunkOf(slot)[(slot & CHUNK_MASK) << 1] as K
  }

  /** The chunk that holds key and value of a slot, the value behind the key, and the place of the key in it. */
  chunkOf(slot: number): readonly unknown[] {
    return slot < CHUNK_SLOTS ? this.first : (this.chunks[slot >> CHUNK_SHIFT] as unknown[])
  }

  placeOf(slot: number): number {
    return (slot & CHUNK_MASK) << 1
  }

  valueAt(slot: number): V {
    return (this.chunks[slot >> CHUNK_SHIFT] as unknown[])[((slot & CHUNK_MASK) << 1) | 1] as V
  }

  setValue(slot: number, value: V): void {
    ;(this.chunks[slot >> CHUNK_SHIFT] as unknown[])[((slot & CHUNK_MASK) << 1) | 1] = value
  }

  isLive(slot: number): boolean {
    return ((this.meta[slot] as number) & LIVE) !== 0
  }

  weightAt(slot: number): number {
    return this.weights === null ? 1 : (this.weights[slot] as number)
  }

  deadlineAt(slot: number): number {
    return this.deadlines === null ? Number.POSITIVE_INFINITY : (this.deadlines[slot] as number)
  }

  /** Takes a free slot for the entry. The caller has made room: `isFull()` is false. */
  take(key: K, value: V, hash: number): number {
    let slot = this.free
    if (slot >= 0) this.free = this.hashes[slot] as number
    else slot = this.openSlot()
    const chunk = this.chunks[slot >> CHUNK_SHIFT] as unknown[]
    const at = (slot & CHUNK_MASK) << 1
    chunk[at] = key
    chunk[at | 1] = value
    this.hashes[slot] = hash
    this.meta[slot] = ((this.meta[slot] as number) & STICKY) | LIVE
    this.count++
    return slot
  }

  /** Gives a slot back and lets go of its key and value. */
  release(slot: number): void {
    const chunk = this.chunks[slot >> CHUNK_SHIFT] as unknown[]
    const at = (slot & CHUNK_MASK) << 1
    chunk[at] = undefined
    chunk[at | 1] = undefined
    this.meta[slot] = (this.meta[slot] as number) & STICKY
    this.hashes[slot] = this.free
    this.free = slot
    this.count--
  }

  isFull(): boolean {
    return this.free < 0 && this.high === this.capacity
  }

  /** Grows to about twice the size, at most to `most` slots. Returns the new capacity. */
  grow(most: number): number {
    const wanted = Math.min(Math.max(FIRST_CAPACITY, this.capacity * 2), Math.max(most, this.capacity + 1))
    this.capacity = wanted
    this.meta = enlarged(this.meta, new Uint8Array(wanted))
    this.hashes = enlarged(this.hashes, new Int32Array(wanted))
    if (this.weights !== null) this.weights = enlarged(this.weights, new Float64Array(wanted))
    if (this.deadlines !== null) this.deadlines = enlarged(this.deadlines, new Float64Array(wanted))
    return wanted
  }

  /** Makes room for lifetimes; entries without one never expire. */
  openDeadlines(): Float64Array {
    if (this.deadlines === null) this.deadlines = new Float64Array(this.capacity).fill(Number.POSITIVE_INFINITY)
    return this.deadlines
  }

  clear(): void {
    this.meta = new Uint8Array(0)
    this.hashes = new Int32Array(0)
    if (this.weights !== null) this.weights = new Float64Array(0)
    this.deadlines = null
    this.chunks = []
    this.first = []
    this.free = -1
    this.capacity = 0
    this.high = 0
    this.count = 0
  }

  private openSlot(): number {
    const slot = this.high++
    const chunk = this.chunks[slot >> CHUNK_SHIFT]
    if (chunk === undefined || chunk.length <= (slot & CHUNK_MASK) << 1) this.openChunk(slot)
    return slot
  }

  // A chunk is made when its first slot comes into use, and grows with the capacity only while it is the last one.
  private openChunk(slot: number): void {
    const chunks = this.chunks
    const at = slot >> CHUNK_SHIFT
    const wanted = Math.min(CHUNK_SLOTS, this.capacity - at * CHUNK_SLOTS)
    const chunk = enlargedChunk(chunks[at] ?? [], wanted)
    chunks[at] = chunk
    if (at === 0) this.first = chunk
  }
}

function enlarged<T extends Uint8Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from)
  return to
}

// Filling with undefined keeps V8 from choosing a packed array of small integers or doubles: every chunk has one shape for ever.
function emptyChunk(slots: number): unknown[] {
  return new Array<unknown>(slots * 2).fill(undefined)
}

function enlargedChunk(from: unknown[], slots: number): unknown[] {
  const to = emptyChunk(slots)
  for (let i = 0; i < from.length; i++) to[i] = from[i]
  return to
}
