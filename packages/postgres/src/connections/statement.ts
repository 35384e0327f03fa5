import { createHash } from 'node:crypto'

/** An SQL text and the name under which a session prepares it. */
export interface Statement {
  readonly name: string
  readonly text: string
  /** The number of columns of each row; absent where the rows are not read. */
  readonly columns?: number
  /** The same statement for connections that can read columns of bytes. */
  readonly raw?: RawStatement
}

/** A statement whose columns come in PostgreSQL's binary form: texts look the same in it, and one column is bytes. */
export interface RawStatement extends Statement {
  readonly bytesColumn: number
}

/** A quoted name or literal, which stays as it is, or white space between the words. */
const quotedOrSpace = /("(?:[^"]|"")*"|'(?:[^']|'')*')|\s+/g

/**
 * Names a text by its hash. Two versions of this library, or two tables, may share one session of the application, and
 * a name must stand for one text only. `columns` is the number of columns of its rows, 0 where it returns none.
 */
export function statement(text: string, columns: number): Statement {
  const squeezed = text.replace(quotedOrSpace, (_, quoted?: string) => quoted ?? ' ').trim()
  return { name: `cache_${createHash('sha256').update(squeezed).digest('hex').slice(0, 24)}`, text: squeezed, columns }
}

/**
 * A statement with bytes in its column `bytesColumn`: as hexadecimal text, and as bytes for connections that can read
 * them.
 */
export function bytesStatement(
  columns: number,
  bytesColumn: number,
  bytes: string,
  text: (column: string) => string,
): Statement {
  const raw = { ...statement(text(bytes), columns), bytesColumn }
  return { ...statement(text(`encode(${bytes}, 'hex')`), columns), raw }
}
