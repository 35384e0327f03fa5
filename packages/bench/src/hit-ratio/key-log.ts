import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { BoundedMap } from '@cache/memory'

const MOST_KEYS = 2 ** 30

/** The requests of a log, the keys numbered in the order of their first appearance. */
export interface KeyLog {
  readonly keys: readonly number[]
  /** Bytes of each request; absent where the log names none. */
  readonly weights?: readonly number[]
  readonly distinct: number
  /** Bytes of all distinct keys' last requests; the number of keys where the log names no bytes. */
  readonly total: number
}

/**
 * Reads a text file with one key a line, or with a key, a tab and a number of bytes; gzipped when its name ends in
 * `.gz`. The first line decides which of the two it is. Rejects with an `Error` that names the line which does not keep
 * to it.
 */
export async function readKeyLog(file: string): Promise<KeyLog> {
  const stream = createReadStream(file)
  const input = file.endsWith('.gz') ? stream.pipe(createGunzip()) : stream
  // A file that cannot be read fails the loop below instead of the process.
  stream.on('error', (error) => input.destroy(error))
  // A Map ends at 2^24 keys.
  const numbers = new BoundedMap<string, number>({ maxEntries: MOST_KEYS, policy: 'fifo' })
  const lastWeights: number[] = []
  const keys: number[] = []
  const weights: number[] = []
  let weighted: boolean | undefined
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === '') continue
    weighted ??= weightOf(line) !== undefined
    const weight = weighted ? weightOf(line) : 1
    if (weight === undefined) throw new Error(`${file}: request ${keys.length + 1} has no number of bytes after a tab`)
    const key = weighted ? line.slice(0, line.lastIndexOf('\t')) : line
    let number = numbers.get(key)
    if (number === undefined) {
      number = numbers.size
      numbers.set(key, number)
    }
    keys.push(number)
    weights.push(weight)
    lastWeights[number] = weight
  }
  const total = lastWeights.reduce((sum, weight) => sum + weight, 0)
  return { keys, ...(weighted ? { weights } : {}), distinct: numbers.size, total }
}

function weightOf(line: string): number | undefined {
  const tab = line.lastIndexOf('\t')
  if (tab < 0 || tab === line.length - 1) return undefined
  const weight = Number(line.slice(tab + 1))
  return Number.isFinite(weight) && weight >= 0 ? weight : undefined
}
