import { frame, type ItemFormat } from '@cache/codecs'
import { CacheError, type Item } from '@cache/core/backend'
import { boolArray, byteaArray, int8Array, textArray } from '../connections/binary-array.ts'
import type { Parameter, Row } from '../connections/session.ts'
import type { StoredKey } from './backend-key.ts'

/** An item as the table keeps it, ready to be written. */
export interface Record {
  readonly stored: StoredKey
  readonly version: string
  /** The item as bytes. */
  readonly value: Buffer
  /** The value where it is a whole number in clear, for arithmetic in SQL. */
  readonly number: number | null
  readonly placeholder: boolean
  /** The instant from which on it counts as absent. */
  readonly expiresAt: number | undefined
}

/** Throws `NOT_STORABLE` for a value that the codec cannot keep. */
export function toRecord(item: Item, stored: StoredKey, format: ItemFormat): Record {
  const value = format.encode(item)
  return {
    stored,
    version: item.version,
    value,
    number: isClearNumber(value) ? (item.value as number) : null,
    placeholder: item.value === undefined,
    expiresAt: item.expiresAt,
  }
}

function isClearNumber(bytes: Uint8Array): boolean {
  return ((bytes[frame.flagsOffset] as number) & frame.flags.clearNumber) !== 0
}

/** `$3` to `$9` of the statements that write: the columns as arrays. `now` is the instant from which lives are counted. */
export function columnsOf(records: readonly Record[], now: number): Parameter[] {
  return [
    textArray(records.map((record) => record.stored.id)),
    textArray(records.map((record) => record.stored.long)),
    textArray(records.map((record) => record.version)),
    byteaArray(records.map((record) => record.value)),
    int8Array(records.map((record) => record.number)),
    boolArray(records.map((record) => record.placeholder)),
    int8Array(records.map(({ expiresAt }) => (expiresAt === undefined ? null : life(expiresAt, now)))),
  ]
}

/** The same for the statements that write a single row. */
export function columnsOfOne(record: Record, now: number): Parameter[] {
  const { stored, version, value, number, placeholder, expiresAt } = record
  return [
    stored.id,
    stored.long,
    version,
    value,
    number,
    placeholder,
    expiresAt === undefined ? null : life(expiresAt, now),
  ]
}

/** The longest life that a timestamp of PostgreSQL can end, in milliseconds: 285,000 years. */
const longestLife = 9e15

function life(expiresAt: number, now: number): number {
  return Math.min(Math.ceil(expiresAt - now), longestLife)
}

/** The whole encoded key of a row, which tells the keys of one hash apart. */
export function keyOfRow(row: Row): string {
  return row[0] as string
}

/** The bytes that the server sent, as they are or in hexadecimal. */
export function bytesOf(column: Row[number] | undefined): Buffer {
  return Buffer.isBuffer(column) ? column : Buffer.from(column ?? '', 'hex')
}

/** The item of a row of `getOne`, `getMany` or `raw`. `undefined`, and told to `damaged`, when its bytes cannot be read. */
export function toItem(
  key: string,
  row: Row,
  format: ItemFormat,
  damaged: (error: CacheError) => void,
): Item | undefined {
  const bytes = bytesOf(row[1])
  try {
    const item = format.decode(key, bytes)
    const counter = row[2]
    // SQL has counted in columns of its own; the bytes keep what the counter began with.
    if (counter === null || counter === undefined || !isClearNumber(bytes)) return item
    const [number, version] = (counter as string).split(' ')
    const value = Number(number)
    if (!Number.isSafeInteger(value)) throw new CacheError('DAMAGED', `the number ${number} is not exact`, { key })
    return { ...item, value, version: version ?? item.version }
  } catch (error) {
    damaged(error as CacheError)
    return undefined
  }
}
