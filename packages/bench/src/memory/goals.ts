import type { ResultRow } from '../harness/suite.ts'
import { own } from './makers.ts'

/** At most this share of lru-cache's figure, by how the row's name begins. */
const shares: readonly [start: string, share: number][] = [
  ['hit, ready key', 1 / 1.3],
  ['hit, fresh key', 1 / 1.6],
  ['set of new keys', 1 / 2],
  ['Zipf', 1 / 2],
  ['hit with ttl', 1 / 2],
  ['bytes, filled', 0.75],
  ['bytes with ttl, filled', 0.75],
  ['bytes, after churn', 0.6],
  ['bytes with ttl, after churn', 0.6],
  ['longest pause', 1 / 4],
]

/** Rows in which no other package may be ahead. */
const unbeaten = ['hit, fresh key', 'hit with ttl', 'Zipf read-through with ttl', 'bytes', 'longest pause', 'hit ratio']

/** One line for each goal: whether the default policy met it. */
export function goals(results: readonly ResultRow[]): string[] {
  const adaptive = own[0]
  return results
    .filter(({ candidate }) => candidate === adaptive)
    .flatMap((result) => [...shareLine(result), ...unbeatenLine(result, results)])
}

function shareLine(result: ResultRow): string[] {
  const goal = shares.find(([start]) => result.row.startsWith(start))
  if (goal === undefined) return []
  const verdict = result.ratio <= goal[1] ? 'met' : 'MISSED'
  return [
    `goal ${verdict}: ${result.row} ${result.ratio.toFixed(2)} of ${result.baseline}, at most ${goal[1].toFixed(2)}`,
  ]
}

function unbeatenLine(result: ResultRow, results: readonly ResultRow[]): string[] {
  if (!unbeaten.some((start) => result.row.startsWith(start))) return []
  const sign = result.row === 'hit ratio' ? -1 : 1
  const ahead = results
    .filter(
      ({ row, candidate, value }) =>
        row === result.row && !own.includes(candidate) && sign * value < sign * result.value,
    )
    .map(({ candidate, value }) => `${candidate} (${value.toFixed(1)})`)
  if (ahead.length === 0) return [`goal met: no package is ahead in ${result.row}`]
  return [`goal MISSED: ahead in ${result.row} (${result.value.toFixed(1)}): ${ahead.join(', ')}`]
}
