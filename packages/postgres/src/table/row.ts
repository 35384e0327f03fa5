import { frame, type ItemFormat } from '@cache/codecs'
import { CacheError, type Item } from '@cache/core/backend'
import { boolArray, byteaArray, int8Array, textArray } from '../connections/binary-array.ts'
import type { Parameter, ResultRow } from '../connections/session.ts'
import type { BackendKey } from './backend-key.ts'

/** An item in the form of the table, ready to be written. */
export interface Row {
  readonly backendKey: BackendKey
  readonly version: string
  /** The encoded item. */
  readonly value: Buffer
  /** The value where it is an unencrypted whole number, for arithmetic in SQL. */
  readonly number: number | null
  readonly placeholder: boolean
  /** The instant from which the item counts as absent. */
  readonly expiresAt: number | undefined
}

/** Throws `NOT_STORABLE` for a value that the codec cannot encode. */
export function rowOf(item: Item, backendKey: BackendKey, format: ItemFormat): Row {
  const value = format.encode(item)
  return {
    backendKey,
    version: item.version,
    value,
    number: isClearNumber(value) ? (item.value as number) : null,
    placeholder: item.value === undefined,
    expiresAt: item.expiresAt,
  }
}

/** The bytes that a row takes in a batch. */
export function sizeOf(row: Row): number {
  return row.value.length + row.backendKey.whole.length
}

export function totalSize(rows: readonly Row[]): number {
  let bytes = 0
  for (const row of rows) bytes += sizeOf(row)
  return bytes
}

function isClearNumber(bytes: Uint8Array): boolean {
  return ((bytes[frame.flagsOffset] as number) & frame.flags.clearNumber) !== 0
}

/** `$3` to `$9` of the statements that write: the columns as arrays. `now` is the instant at which lifetimes begin. */
export function columnsOf(rows: readonly Row[], now: number): Parameter[] {
  return [
    textArray(rows.map((row) => row.backendKey.id)),
    textArray(rows.map((row) => row.backendKey.long)),
    textArray(rows.map((row) => row.version)),
    byteaArray(rows.map((row) => row.value)),
    int8Array(rows.map((row) => row.number)),
    boolArray(rows.map((row) => row.placeholder)),
    int8Array(rows.map(({ expiresAt }) => (expiresAt === undefined ? null : lifetime(expiresAt, now)))),
  ]
}

/** `$3` to `$9` of the statements that write a single row. */
export function columnsOfOne(row: Row, now: number): Parameter[] {
  const { backendKey, version, value, number, placeholder, expiresAt } = row
  return [
    backendKey.id,
    backendKey.long,
    version,
    value,
    number,
    placeholder,
    expiresAt === undefined ? null : lifetime(expiresAt, now),
  ]
}

/** The longest lifetime that a timestamp of PostgreSQL can express, in milliseconds: 285,000 years. */
const longestLifetime = 9e15

function lifetime(expiresAt: number, now: number): number {
  return Math.min(Math.ceil(expiresAt - now), longestLifetime)
}

/** The whole encoded key of a row, which distinguishes the keys of one hash. */
export function keyOfRow(row: ResultRow): ResultRow[number] | undefined {
  return row[0]
}

/** The bytes of a column, from bytes or from hexadecimal text. */
export function bytesOf(column: ResultRow[number] | undefined): Buffer {
  return Buffer.isBuffer(column) ? column : Buffer.from(column ?? '', 'hex')
}

/** The number and the version of a counter. */
const counterColumn = /^(-?\d+) (.*)$/s

/**
 * The item in a row of `getOne`, `getMany` or `find`; `undefined` after a call of `onDamaged` when its bytes cannot be
 * read.
 */
export function itemOf(
  key: string,
  row: ResultRow,
  format: ItemFormat,
  onDamaged: (error: CacheError) => void,
): Item | undefined {
  const bytes = bytesOf(row[1])
  try {
    const item = format.decode(key, bytes)
    const counter = row[2]
    // SQL counts in columns of its own; the bytes keep the first value of the counter.
    if (counter === null || counter === undefined || !isClearNumber(bytes)) return item
    const [, number, version = ''] = counterColumn.exec(String(counter)) ?? []
    const value = number === undefined ? Number.NaN : Number(number)
    if (!Number.isSafeInteger(value)) throw new CacheError('DAMAGED', `the number ${number} is not exact`, { key })
    return { ...item, value, version }
  } catch (error) {
    onDamaged(error as CacheError)
    return undefined
  }
}
