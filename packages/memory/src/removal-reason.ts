/**
 * Why an entry left, or was not let in.
 *
 * - `entries`, `bytes`: the policy chose it to keep `maxEntries` or `maxBytes`
 * - `oversize`: it weighs more than `maxEntryBytes`, so it was never stored
 * - `expired`: its lifetime was over
 * - `deleted`, `cleared`, `replaced`: `delete`, `clear`, or `set` of the same key
 */
export type RemovalReason = 'entries' | 'bytes' | 'oversize' | 'expired' | 'deleted' | 'cleared' | 'replaced'
