import type { Measurement } from '../harness/suite.ts'
import type { Maker } from './bounded.ts'
import { keyOf, LIFETIME, value } from './workload.ts'

const ENTRIES = 1_000_000

function bytesInUse(): number {
  const collect = (globalThis as { gc?: () => void }).gc
  if (collect === undefined) throw new Error('bytes are measured with node --expose-gc')
  // The second collection frees memory that finalizers of the first released, such as array buffers.
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/**
 * Bytes per entry of a million, keys included, after `turnovers` times as many further keys have gone through. The work
 * is how many of the last thousand are held.
 */
export async function measureBytes(maker: Maker, ttl: boolean, turnovers: number): Promise<Measurement> {
  // A first cache, so that the code of the package does not count; the second is measured from before it is made.
  await maker.make(16, ttl ? LIFETIME : undefined)
  const before = bytesInUse()
  const cache = await maker.make(ENTRIES, ttl ? LIFETIME : undefined)
  const last = ENTRIES * (1 + turnovers)
  for (let entry = 0; entry < last; entry += 1) cache.set(keyOf(entry), value)
  const bytes = bytesInUse() - before
  // Not the newest alone: a cache that admits by frequency need not hold any other of them.
  return { value: bytes / ENTRIES, work: cache.get(keyOf(last - 1)) === value ? 1 : 0 }
}

/** Milliseconds of the longest of all inserts while four million keys go in. The work is whether the newest is held. */
export async function measurePause(maker: Maker, capacity: number): Promise<Measurement> {
  const cache = await maker.make(capacity, undefined)
  const inserts = 4_000_000
  let longest = 0
  let started = performance.now()
  for (let entry = 0; entry < inserts; entry += 1) {
    cache.set(keyOf(entry), value)
    // Every eighth insert: reading the clock costs a third of an insert.
    if ((entry & 7) !== 7) continue
    const now = performance.now()
    if (now - started > longest) longest = now - started
    started = now
  }
  return { value: longest, work: cache.get(keyOf(inserts - 1)) === value ? 1 : 0 }
}
