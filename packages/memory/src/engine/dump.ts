import { invalidArgument } from '@cache/core/backend'
import type { Engine } from './engine.ts'

/** What `dump` gives at most, whatever the policy counts. */
const MOST_USES = 15

/** One entry of a dump. */
export interface DumpedEntry<K, V> {
  readonly key: K
  readonly value: V
  /** Absent: it does not expire. */
  readonly expiresAt?: number
  /** How often it is known to have been used, 15 at most. Absent: 0. */
  readonly uses?: number
}

/** All live entries, coldest first, so that a smaller cache which loads them keeps the warm ones. */
export function dumpEngine<K, V>(engine: Engine<K, V>): DumpedEntry<K, V>[] {
  const { slots, policy, clock } = engine
  const now = slots.deadlines === null ? 0 : clock.now()
  const entries: DumpedEntry<K, V>[] = []
  for (const slot of policy.order()) {
    const expiresAt = slots.deadlineAt(slot)
    if (expiresAt <= now && slots.deadlines !== null) continue
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

/** Stores what `storable` makes of the entries, in their order. Throws `INVALID_ARGUMENT` at the first that no dump gives. */
export function loadEngine<K, V>(
  engine: Engine<K, V>,
  entries: Iterable<DumpedEntry<K, V>>,
  storable: (entry: DumpedEntry<K, V>) => V = ({ value }) => value,
): number {
  if (typeof entries?.[Symbol.iterator] !== 'function') throw invalidArgument('entries', entries, 'iterable', 'load')
  let stored = 0
  for (const entry of entries) {
    checkEntry(entry)
    if (!engine.set(entry.key, storable(entry), entry.expiresAt ?? Number.POSITIVE_INFINITY)) continue
    stored++
    const slot = engine.find(entry.key)
    if (slot < 0) continue
    // A dump may come from anywhere.
    for (let uses = Math.min(entry.uses ?? 0, MOST_USES); uses > 0; uses--) engine.policy.hit(slot)
  }
  return stored
}

// A dump may come from a file that somebody else wrote.
function checkEntry(entry: DumpedEntry<unknown, unknown>): void {
  const expiresAt = entry?.expiresAt
  if (entry?.value === undefined) throw invalidArgument('entry', entry, 'an object with a key and a value', 'load')
  if (expiresAt !== undefined && (typeof expiresAt !== 'number' || Number.isNaN(expiresAt))) {
    throw invalidArgument('expiresAt', expiresAt, 'an instant in milliseconds', 'load')
  }
}
