/**
 * Why an entry was removed, or not stored.
 *
 * - `entries`, `bytes`: the policy evicted it to keep `maxEntries` or `maxBytes`
 * - `oversize`: it weighs more than `maxEntryBytes`, so it was never stored
 * - `expired`: its lifetime was over
 * - `deleted`, `cleared`, `replaced`: by `delete`, `clear`, or `set` of the same key
 */
export type RemovalReason = 'entries' | 'bytes' | 'oversize' | 'expired' | 'deleted' | 'cleared' | 'replaced'
