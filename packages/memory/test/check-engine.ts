import type { Engine } from '../src/engine/engine.ts'

/** Throws if slots, index, policy and sums of the engine are inconsistent. */
export function checkEngine<K, V>(engine: Engine<K, V>): void {
  const { slots, index, policy } = engine
  let count = 0
  let bytes = 0
  for (let slot = 0; slot < slots.high; slot += 1) {
    if (!slots.isLive(slot)) continue
    count += 1
    bytes += slots.weightAt(slot)
    const key = slots.keyAt(slot)
    if (index.find(key, index.hash(key)) !== slot)
      throw new Error(`the index does not find ${String(key)} in slot ${slot}`)
  }
  if (count !== slots.count) throw new Error(`${count} slots are live but ${slots.count} are counted`)
  if (bytes !== engine.bytes) throw new Error(`the entries weigh ${bytes} but ${engine.bytes} are counted`)
  if (count > engine.maxEntries || bytes > engine.maxBytes) throw new Error('a limit is exceeded')
  const ordered = new Set(policy.order())
  if (ordered.size !== count) throw new Error(`the policy orders ${ordered.size} of ${count} entries`)
  for (const slot of ordered) if (!slots.isLive(slot)) throw new Error(`the policy orders slot ${slot}, which is free`)
  policy.check()
}
