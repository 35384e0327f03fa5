import pg from 'pg'
import type { Callback } from './query.ts'
import type { Parameter, Row } from './session.ts'
import type { Statement } from './statement.ts'

/** What `pg` keeps of a connection's prepared statements, by name. */
interface PreparedConnection {
  readonly parsedStatements: Record<string, string | undefined>
  readonly submittedNamedStatements: Record<string, string | undefined>
  readonly stream: { write(bytes: Buffer): void; cork(): void; uncork(): void }
  parse(statement: Statement): void
}

// Messages of the extended query protocol (PostgreSQL's documentation, "Message Formats").
const bindCode = 0x42
/** Execute the unnamed portal without a limit of rows, then Sync. */
const executeAndSync = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0x53, 0, 0, 0, 4])

/**
 * A prepared statement as `pg` submits it (the protocol that pg-cursor uses, too), with less around it: one write instead of
 * four, no question for the columns, which are known, and rows as the texts that came. For connections of our own alone.
 */
export class PreparedQuery {
  readonly name: string
  readonly text: string
  readonly callback: Callback
  readonly #values: readonly Parameter[]
  readonly #rows: Row[] = []

  constructor({ name, text }: Statement, values: readonly Parameter[], callback: Callback) {
    this.name = name
    this.text = text
    this.callback = callback
    this.#values = values
  }

  submit(connection: PreparedConnection): null {
    const { name, text } = this
    const isKnown = connection.parsedStatements[name] ?? connection.submittedNamedStatements[name]
    const message = bindMessage(name, this.#values)
    if (isKnown !== undefined) {
      connection.stream.write(message)
      return null
    }
    connection.stream.cork()
    connection.parse({ name, text })
    connection.submittedNamedStatements[name] = text
    connection.stream.write(message)
    connection.stream.uncork()
    return null
  }

  handleDataRow(message: { readonly fields: Row }): void {
    this.#rows.push(message.fields)
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

/** Bind, Execute and Sync in one piece. Buffers go as binary values, everything else as text. */
function bindMessage(name: string, values: readonly Parameter[]): Buffer {
  const count = values.length
  const parts: (string | Buffer | null)[] = new Array(count)
  const lengths: number[] = new Array(count)
  let length = 4 + 1 + Buffer.byteLength(name) + 1 + 2 + 2 * count + 2 + 4 * count + 2
  for (let index = 0; index < count; index++) {
    const value = values[index]
    const part = value === null || value === undefined || Buffer.isBuffer(value) ? (value ?? null) : String(value)
    parts[index] = part
    const bytes = part === null ? 0 : typeof part === 'string' ? Buffer.byteLength(part) : part.length
    lengths[index] = bytes
    length += bytes
  }
  const out = Buffer.allocUnsafe(1 + length + executeAndSync.length)
  out[0] = bindCode
  out.writeInt32BE(length, 1)
  out[5] = 0
  let at = 6 + out.write(name, 6)
  out[at++] = 0
  at = out.writeInt16BE(count, at)
  for (const part of parts) at = out.writeInt16BE(Buffer.isBuffer(part) ? 1 : 0, at)
  at = out.writeInt16BE(count, at)
  for (let index = 0; index < count; index++) {
    const part = parts[index] as string | Buffer | null
    at = out.writeInt32BE(part === null ? -1 : (lengths[index] as number), at)
    if (typeof part === 'string') at += out.write(part, at)
    else if (part !== null) {
      out.set(part, at)
      at += part.length
    }
  }
  // All columns as text: no format codes.
  at = out.writeInt16BE(0, at)
  out.set(executeAndSync, at)
  return out
}
