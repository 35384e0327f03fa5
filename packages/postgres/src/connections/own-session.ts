import type { Submittable } from 'pg'
import { closedError, postgresError, timeoutError } from '../errors.ts'
import { type StatementTimeout, StatementTimeouts } from '../timeouts/statement-timeouts.ts'
import type { OwnClient } from './own-client.ts'
import { PreparedQuery } from './prepared-query.ts'
import { type Callback, isServerError, isStatementLost, query, sendQuery } from './query.ts'
import type { Parameter, ResultRow, Run, Session } from './session.ts'
import type { Statement } from './statement.ts'

export interface OwnSessionOptions {
  /** Creates a client that is not connected yet, and that stops connecting in time. */
  readonly open: () => OwnClient
  readonly maxConnections: number
  /** Statements that one connection may have in flight. More than one needs clients that pipeline. */
  readonly perConnection: number
  readonly prepare: boolean
  /** In milliseconds. */
  readonly lockTimeout: number
  /** Receives the error of a connection that was lost while no statement ran on it. */
  readonly onError: (error: Error) => void
}

interface PendingStatement {
  readonly statement: Statement
  readonly values: readonly Parameter[]
  readonly method: string
  /** Whether no other statement may follow on its connection. */
  readonly isAlone: boolean
  readonly resolve: (rows: ResultRow[]) => void
  readonly reject: (error: unknown) => void
  timeout: StatementTimeout | undefined
  connection: Connection | undefined
}

interface Connection {
  readonly client: OwnClient
  /** Statements in flight. */
  inFlight: number
  isFree: boolean
  /** A statement that is alone waits for this connection to become idle, or runs on it. */
  isHeld: boolean
  isLost: boolean
  idleSince: number
}

/** Milliseconds without a statement after which a connection is closed. */
const idleTimeout = 30_000
/** Milliseconds that the server has to close a connection in good order. */
const closeTimeout = 500

/**
 * Statements on connections that this package opens as they are needed.
 *
 * Does the work of a pool of `pg` with less cost for each statement (without a timer, promise or tick of its own).
 * Bounds every call, and sends several statements at once where the clients pipeline.
 */
export class OwnSession implements Session {
  readonly #options: OwnSessionOptions
  readonly #timeouts: StatementTimeouts = new StatementTimeouts()
  readonly #connections = new Set<Connection>()
  /**
   * Connections that can take a statement. The last is used first, so that surplus connections stay idle and are
   * closed.
   */
  readonly #free: Connection[] = []
  readonly #waiting = new Set<PendingStatement>()
  #connecting = 0
  #prepare: boolean
  #isClosed = false
  #idleCheck: NodeJS.Timeout | undefined

  constructor(options: OwnSessionOptions) {
    this.#options = options
    this.#prepare = options.prepare
  }

  get lockTimeout(): string | null {
    return this.#prepare ? null : `${this.#options.lockTimeout}ms`
  }

  readonly run: Run = (statement, values, method, timeout, mayWait = false) =>
    new Promise<ResultRow[]>((resolve, reject) => {
      if (this.#isClosed) throw closedError(method)
      const pending: PendingStatement = {
        statement,
        values,
        method,
        isAlone: mayWait && this.#options.perConnection > 1,
        resolve,
        reject,
        timeout: undefined,
        connection: undefined,
      }
      pending.timeout = this.#timeouts.start(timeout, () => this.#giveUp(pending, timeout))
      const connection = pending.isAlone ? this.#takeIdle() : this.#free.pop()
      if (connection !== undefined) {
        this.#send(connection, pending)
        return
      }
      this.#waiting.add(pending)
      this.#openMore()
      if (pending.isAlone && this.#connecting === 0) this.#hold()
    })

  /** Runs on a connection that is opened for this call only. */
  async exclusive<Result>(work: (run: Run) => Promise<Result>, method: string): Promise<Result> {
    const client = this.#create(method)
    client.on('error', ignore)
    try {
      await client.connect()
      return await work((statement, values, name, timeout) => query(client, statement, values, false, name, timeout))
    } catch (error) {
      throw postgresError(error, method)
    } finally {
      await this.#closeClient(client)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#idleCheck)
    for (const pending of this.#waiting) this.#fail(pending, closedError(pending.method))
    await Promise.all([...this.#connections].map((connection) => this.#end(connection)))
  }

  #send(connection: Connection, pending: PendingStatement, prepare: boolean = this.#prepare): void {
    pending.connection = connection
    connection.isFree = false
    connection.inFlight += 1
    if (connection.inFlight === 1) keepProcessAlive(connection.client, true)
    this.#offer(connection)
    let prepared: PreparedQuery | undefined
    const done: Callback = (error, rows) => {
      connection.inFlight -= 1
      if (error === undefined) this.#succeed(pending, rows)
      else if (prepared !== undefined && isStatementLost(error)) {
        // Prepared statements do not survive on this path to the server, unless it was only the earlier query that
        // could not be prepared. Unnamed statements work, only slower.
        if (!prepared.reliesOnEarlier) this.#prepare = false
        this.#send(connection, pending, false)
        return
      } else {
        this.#fail(pending, error)
        // After any error that the server did not report itself, the next reply may belong to another statement.
        if (!isServerError(error)) this.#lose(connection)
      }
      this.#offer(connection)
    }
    const { client } = connection
    const { statement, values, method } = pending
    if (prepare) {
      const best = client.givesRawRows ? (statement.raw ?? statement) : statement
      prepared = new PreparedQuery(best, values, method, done)
      client.query(prepared as unknown as Submittable)
    } else sendQuery(client, statement, values, false, method, done)
  }

  /** Gives the connection a waiting statement, or adds it to the free connections. */
  #offer(connection: Connection): void {
    // A pipelining connection is free already when its last statement ends.
    if (connection.inFlight === 0 && !connection.isLost) {
      connection.idleSince = performance.now()
      keepProcessAlive(connection.client, false)
    }
    if (connection.isLost || connection.isFree || connection.inFlight >= this.#options.perConnection) return
    if (connection.isHeld && connection.inFlight > 0) return
    const pending = this.#nextFor(connection)
    if (pending !== undefined) {
      this.#waiting.delete(pending)
      connection.isHeld = pending.isAlone
      this.#send(connection, pending)
      return
    }
    connection.isHeld = false
    connection.isFree = true
    if (connection.inFlight > 0) {
      // Behind all other connections, so that statements spread over connections that pipeline.
      this.#free.unshift(connection)
      return
    }
    this.#free.push(connection)
  }

  /** The waiting statement that the connection takes next. */
  #nextFor({ inFlight, isHeld }: Connection): PendingStatement | undefined {
    let first: PendingStatement | undefined
    for (const pending of this.#waiting) {
      if (inFlight === 0 && !isHeld) return pending
      if (pending.isAlone === (inFlight === 0)) return pending
      first ??= pending
    }
    // A held connection that is idle serves statements of both kinds.
    return inFlight === 0 ? first : undefined
  }

  /** Takes a connection without a statement in flight for a statement that is alone. */
  #takeIdle(): Connection | undefined {
    const index = this.#free.findLastIndex(({ inFlight }) => inFlight === 0)
    const [connection] = index < 0 ? [] : this.#free.splice(index, 1)
    if (connection !== undefined) connection.isHeld = true
    return connection
  }

  /** Gives one connection no further statements, so that it becomes idle and takes a statement that is alone. */
  #hold(): void {
    let least: Connection | undefined
    for (const connection of this.#connections) {
      if (!connection.isHeld && (least === undefined || connection.inFlight < least.inFlight)) least = connection
    }
    if (least === undefined) return
    least.isHeld = true
    if (!least.isFree) return
    least.isFree = false
    this.#free.splice(this.#free.indexOf(least), 1)
  }

  #openMore(): void {
    const { maxConnections } = this.#options
    try {
      while (
        !this.#isClosed &&
        this.#connecting < this.#waiting.size &&
        this.#connecting + this.#connections.size < maxConnections
      ) {
        this.#open()
      }
    } catch (error) {
      // A client cannot be created, for instance because a certificate's file is gone. Thrown in the event of a lost
      // connection, the error would end the process.
      this.#failWaiting(error)
    }
  }

  #create(method: string): OwnClient {
    try {
      return this.#options.open()
    } catch (error) {
      throw postgresError(error, method)
    }
  }

  #open(): void {
    const client = this.#create('connect')
    const connection: Connection = { client, inFlight: 0, isFree: false, isHeld: false, isLost: false, idleSince: 0 }
    client.on('error', (error) => {
      if (!connection.isLost && connection.inFlight === 0) this.#options.onError(error)
      this.#lose(connection)
    })
    client.on('end', () => this.#lose(connection))
    this.#connecting += 1
    client.connect().then(
      () => {
        this.#connecting -= 1
        if (connection.isLost || this.#isClosed) return this.#closeClient(client)
        // A pooler shares the session with other applications, so prepared statements may disappear from it.
        if (!client.isExclusive) this.#prepare = false
        this.#connections.add(connection)
        this.#checkIdle()
        this.#offer(connection)
        return undefined
      },
      (error: unknown) => {
        this.#connecting -= 1
        connection.isLost = true
        this.#failWaiting(error)
      },
    )
  }

  /** After a connection could not be opened. Connections that exist, or are being opened, run the waiting statements. */
  #failWaiting(error: unknown): void {
    if (this.#connecting > 0) return
    if (this.#connections.size > 0) {
      for (const pending of this.#waiting) if (pending.isAlone) this.#hold()
      return
    }
    for (const pending of this.#waiting) this.#fail(pending, error)
  }

  #succeed(pending: PendingStatement, rows: ResultRow[]): void {
    if (pending.timeout !== undefined) this.#timeouts.stop(pending.timeout)
    pending.resolve(rows)
  }

  #fail(pending: PendingStatement, error: unknown): void {
    this.#waiting.delete(pending)
    if (pending.timeout !== undefined) this.#timeouts.stop(pending.timeout)
    pending.reject(postgresError(error, pending.method))
  }

  #giveUp(pending: PendingStatement, timeout: number): void {
    this.#fail(pending, timeoutError(pending.method, timeout))
    // The reply may still come, and on a pipelining connection so may the replies to all later statements.
    if (pending.connection !== undefined) this.#lose(pending.connection)
  }

  #lose(connection: Connection): void {
    if (connection.isLost) return
    this.#remove(connection)
    connection.client.connection.stream.destroy()
    this.#openMore()
  }

  #checkIdle(): void {
    if (this.#idleCheck !== undefined) return
    this.#idleCheck = setTimeout(() => {
      this.#idleCheck = undefined
      const now = performance.now()
      for (const connection of [...this.#free]) {
        if (connection.inFlight === 0 && now - connection.idleSince > idleTimeout) void this.#end(connection)
      }
      if (this.#connections.size > 0) this.#checkIdle()
    }, idleTimeout / 2)
    this.#idleCheck.unref()
  }

  async #end(connection: Connection): Promise<void> {
    this.#remove(connection)
    await this.#closeClient(connection.client)
  }

  #remove(connection: Connection): void {
    connection.isLost = true
    this.#connections.delete(connection)
    const index = this.#free.indexOf(connection)
    if (index >= 0) this.#free.splice(index, 1)
  }

  /** Closes a client in good order, or destroys its socket where the server does not reply. */
  async #closeClient(client: OwnClient): Promise<void> {
    keepProcessAlive(client, true)
    const { stream } = client.connection
    const timeout = this.#timeouts.start(closeTimeout, () => stream.destroy())
    await client.end().catch(() => {})
    this.#timeouts.stop(timeout)
  }
}

/** Whether the connection keeps the process alive. */
function keepProcessAlive(client: OwnClient, isNeeded: boolean): void {
  const stream = client.connection.stream as { ref?(): void; unref?(): void }
  if (isNeeded) stream.ref?.()
  else stream.unref?.()
}

/** The running statement fails with the same error. */
function ignore(): void {}
