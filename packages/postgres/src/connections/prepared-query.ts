import pg from 'pg'
import { bindMessages } from './bind-messages.ts'
import type { Callback } from './query.ts'
import type { RawRow } from './row-reader.ts'
import type { Parameter, Row } from './session.ts'
import type { RawStatement, Statement } from './statement.ts'

/** What `pg` keeps of a connection's prepared statements, by name. */
interface PreparedConnection {
  readonly parsedStatements: Record<string, string | undefined>
  readonly submittedNamedStatements: Record<string, string | undefined>
  readonly stream: { write(bytes: Buffer): void; cork(): void; uncork(): void }
  parse(statement: Statement): void
}

/**
 * A prepared statement as `pg` submits it (the protocol that pg-cursor uses, too), with less around it: one write instead of
 * four, no question for the columns, which are known, and rows as the texts that came. For connections of our own alone.
 */
export class PreparedQuery {
  readonly name: string
  readonly text: string
  readonly callback: Callback
  /** Whether it was sent behind another one that was to prepare the same statement, and may have failed to. */
  leansOnOther = false
  readonly #values: readonly Parameter[]
  readonly #rows: Row[] = []
  /** -1: there is none, and all columns come as text. */
  readonly #bytesColumn: number

  /** A `RawStatement` needs a connection that hands over raw rows. */
  constructor(statement: Statement | RawStatement, values: readonly Parameter[], callback: Callback) {
    this.name = statement.name
    this.text = statement.text
    this.callback = callback
    this.#values = values
    this.#bytesColumn = 'bytesColumn' in statement ? statement.bytesColumn : -1
  }

  submit(connection: PreparedConnection): null {
    const { name, text } = this
    const isParsed = connection.parsedStatements[name] !== undefined
    this.leansOnOther = !isParsed && connection.submittedNamedStatements[name] !== undefined
    const isKnown = isParsed || this.leansOnOther
    const pieces = bindMessages(name, this.#values, this.#bytesColumn >= 0)
    if (isKnown && pieces.length === 1) {
      connection.stream.write(pieces[0] as Buffer)
      return null
    }
    connection.stream.cork()
    if (!isKnown) {
      connection.parse({ name, text })
      connection.submittedNamedStatements[name] = text
    }
    for (const piece of pieces) connection.stream.write(piece)
    connection.stream.uncork()
    return null
  }

  handleDataRow(row: RawRow | { readonly fields: Row }): void {
    this.#rows.push(this.#bytesColumn >= 0 ? (row as RawRow).read(this.#bytesColumn) : row.fields)
  }

  handleRowDescription(): void {}

  handleCommandComplete(): void {}

  handleEmptyQuery(): void {}

  handleReadyForQuery(): void {
    this.callback(null, { rows: this.#rows })
  }

  handleError(error: Error): void {
    this.callback(error, { rows: [] })
  }
}

// A pipelining client takes no queries but those of its own class, because others might keep a portal open. This one does
// not, and needs nothing of that class but its name.
Object.setPrototypeOf(PreparedQuery.prototype, pg.Query.prototype)
