/**
 * One entry of a cache.
 *
 * Instants are absolute (milliseconds since the epoch), so that an item keeps its deadline while it moves between layers.
 *
 * An item whose `value` is `undefined` is a *placeholder*: it holds a version for a key without a value. A load stores a
 * placeholder before it reads the source. It then stores its result only if the placeholder is still there. A delete in any
 * process removes the placeholder, so that the late result is dropped (RACES R3; the leases of "Scaling Memcache at
 * Facebook", NSDI 2013). Applications do not see placeholders.
 */
export interface Item<Value = unknown> {
  readonly key: string
  readonly value: Value
  /** An opaque text. It does not repeat for a key, even after a delete. Only equality is defined. */
  readonly version: string
  /** The instant at which the value was made; 0 where the store does not know it. */
  readonly createdAt: number
  /** From this instant on, the value is served only during a refresh or after a failed load. Absent: fresh until it expires. */
  readonly staleAt?: number
  /** From this instant on, the item is a miss. Absent: the item does not expire. */
  readonly expiresAt?: number
  /** Tag to the version that the tag had when the value was made. */
  readonly tags?: Readonly<Record<string, string>>
  /** Approximate bytes, or the cost that the application states. */
  readonly cost?: number
}
