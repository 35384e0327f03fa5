import type { ResultRow } from './session.ts'
import type { Statement } from './statement.ts'

/**
 * The fault of the rows that a server sent for a statement; `undefined` where they have its columns. Nothing of a reply
 * is certain, and the reply with a fault may belong to another statement.
 */
export function faultOfRows(rows: unknown, { columns }: Pick<Statement, 'columns'>): string | undefined {
  // The rows are not read.
  if (columns === undefined) return undefined
  if (!Array.isArray(rows)) return 'it has no rows'
  for (const row of rows) {
    if (!Array.isArray(row)) return 'a row is no list of columns'
    if (row.length !== columns) return `a row has ${row.length} columns, and ${columns} were expected`
    for (let index = 0; index < columns; index += 1) {
      if (!isColumn(row[index])) return `column ${index + 1} is no text`
    }
  }
  return undefined
}

function isColumn(column: unknown): column is ResultRow[number] {
  return typeof column === 'string' || column === null || Buffer.isBuffer(column)
}
