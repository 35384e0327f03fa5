import { type Slots, STICKY } from '../engine/slots.ts'

/**
 * A queue of slots. A slot that leaves the queue out of turn stays in it as a dead place until the place comes to the front,
 * and takes that place again if it is used anew before: so a slot stands here once at most, and removing costs nothing.
 * The sticky bit of `slots.meta` says which slots stand here.
 */
export class SlotRing {
  private readonly table: Slots<unknown, unknown>
  private places: Int32Array = new Int32Array(0)
  private first = 0
  private count = 0

  constructor(slots: Slots<unknown, unknown>) {
    this.table = slots
  }

  /** Places, dead ones included. */
  get length(): number {
    return this.count
  }

  clear(): void {
    this.places = new Int32Array(0)
    this.first = 0
    this.count = 0
  }

  holds(slot: number): boolean {
    return ((this.table.meta[slot] as number) & STICKY) !== 0
  }

  /** Puts a slot at the end that does not stand here. */
  push(slot: number): void {
    if (this.count === this.places.length) this.grow()
    let at = this.first + this.count
    if (at >= this.places.length) at -= this.places.length
    this.places[at] = slot
    this.count++
    const meta = this.table.meta
    meta[slot] = (meta[slot] as number) | STICKY
  }

  /** Takes the slot at the front, dead or alive. */
  shift(): number {
    const slot = this.places[this.first] as number
    if (++this.first === this.places.length) this.first = 0
    this.count--
    const meta = this.table.meta
    meta[slot] = (meta[slot] as number) & ~STICKY
    return slot
  }

  // On its own, by half: the queue is a small part of the cache most of the time.
  private grow(): void {
    const places = new Int32Array(Math.max(16, this.count + (this.count >> 1)))
    const untilEnd = this.places.length - this.first
    places.set(this.places.subarray(this.first))
    places.set(this.places.subarray(0, this.first), untilEnd)
    this.places = places
    this.first = 0
  }

  /** From the front to the end, dead places included. */
  *slots(): Generator<number> {
    for (let i = 0; i < this.count; i++) yield this.places[(this.first + i) % this.places.length] as number
  }
}
