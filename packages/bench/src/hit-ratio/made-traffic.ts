import type { Trace } from '../memory/traces.ts'
import { numbersFrom, zipf } from '../memory/workload.ts'

const LENGTH = 200_000
/** The keys of different sources of a log are this far apart. */
const APART = 10_000_000

/** Traffic that published traces lack: each kind is equal at every call. */
export function* madeTraffic(): Generator<Trace> {
  yield make('made: loops of changing length', loopsOfChangingLength())
  yield make('made: scans inside Zipf', scansInsideZipf())
  yield make('made: two tenants', twoTenants())
  yield make('made: drifting popularity', driftingPopularity())
  yield make('made: daily cycles', dailyCycles())
}

function make(name: string, key: (i: number) => number): Trace {
  return { name, keys: Uint32Array.from({ length: LENGTH }, (_, i) => key(i)) }
}

/** A loop over the same first keys, each time to another end, between 500 and 5,000 keys. */
function loopsOfChangingLength(): (i: number) => number {
  const random = numbersFrom(11)
  let next = 0
  let end = 0
  return () => {
    next += 1
    if (next >= end) {
      next = 0
      end = Math.floor(500 * 10 ** random())
    }
    return next
  }
}

/** Popular keys; at random moments a scan of 200 to 5,000 new keys, with three of its keys for each popular one. */
function scansInsideZipf(): (i: number) => number {
  const random = numbersFrom(12)
  const popular = zipf(20_000, LENGTH)
  let left = 0
  return (i) => {
    if (left === 0 && random() < 1 / 4000) left = Math.floor(200 * 25 ** random())
    if (left === 0 || random() < 0.25) return popular[i] as number
    left -= 1
    return APART + i
  }
}

/** One tenant has popular keys. The other loops over 3,000 keys, and is active in half of the phases of 10,000 requests. */
function twoTenants(): (i: number) => number {
  const random = numbersFrom(13)
  const popular = zipf(10_000, LENGTH)
  let next = 0
  return (i) => {
    const isActive = Math.floor(i / 10_000) % 2 === 1
    if (!isActive || random() < 0.5) return popular[i] as number
    next = (next + 1) % 3000
    return APART + next
  }
}

/** Every 50 requests a new key becomes the most popular one, and each other key becomes a rank less popular. */
function driftingPopularity(): (i: number) => number {
  const ranks = zipfRanks(10_000, 14)
  return (i) => APART + Math.floor(i / 50) - ranks()
}

/** Four days: at noon most requests go to the keys of the day shift, at midnight to those of the night, which scans too. */
function dailyCycles(): (i: number) => number {
  const random = numbersFrom(15)
  const day = zipfRanks(8000, 16)
  const night = zipfRanks(3000, 17)
  return (i) => {
    const sun = 0.5 - 0.5 * Math.cos((2 * Math.PI * 4 * i) / LENGTH)
    if (random() < sun) return day()
    return random() < 0.3 ? 2 * APART + i : APART + night()
  }
}

/** Ranks from 0 by Zipf's law with exponent 1, by inversion of its continuous form. */
function zipfRanks(entries: number, seed: number): () => number {
  const random = numbersFrom(seed)
  return () => Math.floor(entries ** random()) - 1
}
