import type { ResultRow } from '../connections/session.ts'
import { unexpectedReply } from '../errors.ts'

// Columns of a reply in the form that the code uses. All throw `BACKEND_FAILURE` for anything else: a value that is used
// unchecked, such as NaN, would stay in counters and limits and change later calls.

/** The only row. */
export function onlyRow(rows: readonly ResultRow[], method: string): ResultRow {
  const [row] = rows
  if (row === undefined || rows.length > 1) throw unexpectedReply(method, `it has ${rows.length} rows instead of one`)
  return row
}

/** The row, if there is one. */
export function optionalRow(rows: readonly ResultRow[], method: string): ResultRow | undefined {
  return rows.length === 0 ? undefined : onlyRow(rows, method)
}

export function readText(row: ResultRow, column: number, method: string): string {
  const text = row[column]
  if (typeof text !== 'string') throw unexpectedReply(method, `column ${column + 1} is no text`)
  return text
}

export function readBoolean(row: ResultRow, column: number, method: string): boolean {
  const text = readText(row, column, method)
  if (text !== 'true' && text !== 'false')
    throw unexpectedReply(method, `column ${column + 1} is neither true nor false`)
  return text === 'true'
}

const wholeNumber = /^-?\d{1,16}$/

/** A safe whole number, at least `least`. */
export function readWholeNumber(
  row: ResultRow,
  column: number,
  method: string,
  least: number = Number.MIN_SAFE_INTEGER,
): number {
  const text = readText(row, column, method)
  const number = wholeNumber.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(number) || number < least) {
    throw unexpectedReply(method, `column ${column + 1} is no whole number of ${least} or more`)
  }
  return number
}

/** A finite number of 0 or more, such as an estimate. */
export function readEstimate(row: ResultRow, column: number, method: string): number {
  const text = readText(row, column, method)
  const number = text === '' ? Number.NaN : Number(text)
  if (!Number.isFinite(number) || number < 0) throw unexpectedReply(method, `column ${column + 1} is no estimate`)
  return number
}
