import { invalidArgument } from '@cache/core/backend'
import type { Engine } from './engine.ts'

/** The largest `uses` of a dump, whatever the policy counts. */
const maxDumpedUses = 15

/** One entry of a dump. */
export interface DumpedEntry<K, V> {
  readonly key: K
  readonly value: V
  /** The instant at which the entry expires, in milliseconds. Absent: it does not expire. */
  readonly expiresAt?: number
  /** How often the policy counted a use, at most 15. Absent: 0. */
  readonly uses?: number
}

/** All live entries, the coldest first, so that a smaller cache that loads them keeps the warm ones. */
export function dumpEngine<K, V>(engine: Engine<K, V>): DumpedEntry<K, V>[] {
  const { slots, policy, clock } = engine
  const now = slots.expiryTimes === undefined ? 0 : clock.now()
  const entries: DumpedEntry<K, V>[] = []
  for (const slot of policy.order()) {
    const expiresAt = slots.expiryTimeAt(slot)
    if (expiresAt <= now && slots.expiryTimes !== undefined) continue
    const uses = policy.uses(slot)
    entries.push({
      key: slots.keyAt(slot),
      value: slots.valueAt(slot),
      ...(expiresAt === Number.POSITIVE_INFINITY ? {} : { expiresAt }),
      ...(uses === 0 ? {} : { uses }),
    })
  }
  return entries
}

/**
 * Stores what `storableValue` returns for each entry, in their order. Returns how many were stored.
 * Throws `INVALID_ARGUMENT` at the first entry that cannot come from a dump.
 */
export function loadEngine<K, V>(
  engine: Engine<K, V>,
  entries: Iterable<DumpedEntry<K, V>>,
  storableValue: (entry: DumpedEntry<K, V>) => V = ({ value }) => value,
): number {
  if (typeof entries?.[Symbol.iterator] !== 'function') throw invalidArgument('entries', entries, 'iterable', 'load')
  let count = 0
  for (const entry of entries) {
    checkEntry(entry)
    if (!engine.set(entry.key, storableValue(entry), entry.expiresAt ?? Number.POSITIVE_INFINITY)) continue
    count += 1
    const slot = engine.find(entry.key)
    if (slot < 0) continue
    // The limit holds for a dump from an untrusted source too.
    for (let uses = Math.min(entry.uses ?? 0, maxDumpedUses); uses > 0; uses -= 1) engine.policy.hit(slot)
  }
  return count
}

// Another program may have written the file that a dump was read from.
function checkEntry(entry: DumpedEntry<unknown, unknown>): void {
  const expiresAt = entry?.expiresAt
  if (entry?.value === undefined) throw invalidArgument('entry', entry, 'an object with a key and a value', 'load')
  if (expiresAt !== undefined && (typeof expiresAt !== 'number' || Number.isNaN(expiresAt))) {
    throw invalidArgument('expiresAt', expiresAt, 'an instant in milliseconds', 'load')
  }
}
