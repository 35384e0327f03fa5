import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { numbersFrom, zipf } from './workload.ts'

/** Key numbers, one per request. */
export interface Trace {
  readonly name: string
  readonly keys: Uint32Array
}

/**
 * The traces in the folder that `CACHE_TRACES` names: files NAME.u32.gz, gzip of little-endian 32-bit key numbers.
 * Without it, traffic that is made here: popularity, drift, recency, a loop, a scan.
 */
export function* traces(): Generator<Trace> {
  const folder = process.env.CACHE_TRACES
  if (folder === undefined) {
    yield* madeHere()
    return
  }
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith('.u32.gz') || file.endsWith('.sizes.u32.gz')) continue
    const bytes = gunzipSync(readFileSync(join(folder, file)))
    yield {
      name: file.slice(0, -'.u32.gz'.length),
      keys: new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
    }
  }
}

function* madeHere(): Generator<Trace> {
  const length = 200_000
  const random = numbersFrom(3)
  const popular = zipf(20_000, length)
  const make = (name: string, key: (i: number) => number): Trace => ({
    name,
    keys: Uint32Array.from({ length }, (_, i) => key(i)),
  })
  yield make('popularity', (i) => popular[i] as number)
  yield make('drift', (i) => (popular[i] as number) + Math.floor(i / 20))
  let next = 0
  yield make('recency', (i) => {
    if (i % 3 !== 0) return Math.max(0, next - 1 - Math.floor(random() * 40))
    next += 1
    return next - 1
  })
  yield make('loop', (i) => i % 3000)
  yield make('scan', (i) => (i % 10_000 < 3000 ? 1_000_000 + i : (popular[i] as number)))
}

/** Sizes at which a trace is replayed: 1, 5 and 20 % of its distinct keys. */
export function sizesOf(trace: Trace): number[] {
  const distinct = new Set(trace.keys).size
  return [0.01, 0.05, 0.2].map((share) => Math.max(8, Math.round(distinct * share)))
}
