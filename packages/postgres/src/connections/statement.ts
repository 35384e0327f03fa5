import { createHash } from 'node:crypto'

/** One SQL text and the name under which a session prepares it. */
export interface Statement {
  readonly name: string
  readonly text: string
  /** The same for connections that can hand over bytes. */
  readonly raw?: RawStatement
}

/** A statement whose columns come in PostgreSQL's binary form: for texts that is the text, and one column is bytes. */
export interface RawStatement extends Statement {
  readonly bytesColumn: number
}

/** A quoted name or literal, which stays as it is, or white space between the words. */
const quotedOrSpace = /("(?:[^"]|"")*"|'(?:[^']|'')*')|\s+/g

/**
 * Names a text by its hash: two versions of this library, or two tables, may share one session of the application's, and
 * a name stands for one text only.
 */
export function statement(text: string): Statement {
  const squeezed = text.replace(quotedOrSpace, (_, quoted?: string) => quoted ?? ' ').trim()
  return { name: `cache_${createHash('sha256').update(squeezed).digest('hex').slice(0, 24)}`, text: squeezed }
}

/** A statement that returns bytes as its column `bytesColumn`: in hexadecimal, and as they are where they can be read so. */
export function bytesStatement(bytesColumn: number, bytes: string, text: (column: string) => string): Statement {
  const raw = { ...statement(text(bytes)), bytesColumn }
  return { ...statement(text(`encode(${bytes}, 'hex')`)), raw }
}

/** An SQL identifier in double quotes: whatever it holds stays a name. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** An SQL string literal. */
export function quoteLiteral(text: string): string {
  const doubled = text.replaceAll("'", "''")
  return doubled.includes('\\') ? `E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`
}
