/**
 * Everything the cache knows of one entry.
 *
 * Instants are absolute (milliseconds since the epoch), so that an item keeps its deadline while it moves between layers.
 *
 * An item whose `value` is `undefined` is a *placeholder*: it holds a version for a key that has no value yet. A load puts
 * one before it reads the source and stores its result on the condition that the placeholder still stands, so that a delete
 * in any process, which removes the placeholder, makes the late result bounce (RACES R3; after the leases of "Scaling
 * Memcache at Facebook", NSDI 2013). Applications never see one.
 */
export interface Item<Value = unknown> {
  readonly key: string
  readonly value: Value
  /** Opaque. Never repeats for a key, not even after a delete. Compared by equality only. */
  readonly version: string
  /** When the value was made, in milliseconds since the epoch; 0 where the store does not know. */
  readonly createdAt: number
  /** From this instant on the value is served only while it is refreshed, or when a load fails. Absent: fresh until it expires. */
  readonly staleAt?: number
  /** From this instant on a backend answers as if the item had never been set. Absent: it does not expire. */
  readonly expiresAt?: number
  /** Tag to the version that the tag had when the value was made. */
  readonly tags?: Readonly<Record<string, string>>
  /** Approximate bytes, or what the application says. */
  readonly cost?: number
}
