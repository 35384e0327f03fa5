import pg from 'pg'
import { unexpectedReply } from '../errors.ts'
import { bindMessages } from './bind-messages.ts'
import { type Callback, receiveRows } from './query.ts'
import type { RawRow } from './row-reader.ts'
import type { Parameter, ResultRow } from './session.ts'
import type { RawStatement, Statement } from './statement.ts'

/** The parts of a `Connection` of `pg` that are used here. Statements are kept by name. */
interface PreparedConnection {
  readonly parsedStatements: Record<string, string | undefined>
  readonly submittedNamedStatements: Record<string, string | undefined>
  readonly stream: { write(bytes: Buffer): void; cork(): void; uncork(): void }
  parse(statement: Statement): void
}

/**
 * A prepared statement that `pg` submits (by the protocol that pg-cursor uses too) with less work: one write instead of
 * four, no request for the columns, which are known, and no parsing of values. Only for connections that this package
 * opens.
 */
export class PreparedQuery {
  readonly name: string
  readonly text: string
  /** `pg` reads and replaces it. */
  readonly callback: Callback
  /** Whether it was sent behind an earlier query that prepares the same statement, and that may fail to. */
  reliesOnEarlier = false
  readonly #values: readonly Parameter[]
  readonly #statement: Statement
  readonly #method: string
  readonly #rows: ResultRow[] = []
  #isComplete = false
  /** -1: all columns come as text. */
  readonly #bytesColumn: number

  /** A `RawStatement` needs a connection whose rows arrive as `RawRow`. */
  constructor(statement: Statement | RawStatement, values: readonly Parameter[], method: string, callback: Callback) {
    this.#statement = statement
    this.#method = method
    this.name = statement.name
    this.text = statement.text
    this.callback = callback
    this.#values = values
    this.#bytesColumn = 'bytesColumn' in statement ? statement.bytesColumn : -1
  }

  submit(connection: PreparedConnection): null {
    const { name, text } = this
    const isParsed = connection.parsedStatements[name] !== undefined
    this.reliesOnEarlier = !isParsed && connection.submittedNamedStatements[name] !== undefined
    const isKnown = isParsed || this.reliesOnEarlier
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

  handleDataRow(row: RawRow | { readonly fields: ResultRow }): void {
    this.#rows.push(this.#bytesColumn >= 0 ? (row as RawRow).read(this.#bytesColumn) : row.fields)
  }

  handleRowDescription(): void {}

  handleCommandComplete(): void {
    this.#isComplete = true
  }

  handleEmptyQuery(): void {}

  handleReadyForQuery(): void {
    // A server that announces to be ready without a result has not done this statement: the replies are out of step.
    if (this.#isComplete) receiveRows(this.#rows, this.#statement, this.#method, this.callback)
    else this.callback(unexpectedReply(this.#method, 'it has no end'), [])
  }

  handleError(error: Error): void {
    this.callback(error, [])
  }
}

// A pipelining client of `pg` accepts instances of its own query class only, because other queries might keep a portal
// open. This one never does, so it may pass the check of the class.
Object.setPrototypeOf(PreparedQuery.prototype, pg.Query.prototype)
