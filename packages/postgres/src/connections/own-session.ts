import type { Submittable } from 'pg'
import { closedError, postgresError, timeoutError } from '../errors.ts'
import { type Deadline, Deadlines } from '../timeouts/shared-timeouts.ts'
import type { GracefulClient } from './own-client.ts'
import { PreparedQuery } from './prepared-query.ts'
import { type Callback, isServerError, isStatementLost, query, sendQuery } from './query.ts'
import type { Parameter, Row, Run, Session } from './session.ts'
import type { Statement } from './statement.ts'

export interface OwnSessionOptions {
  /** Makes a client that is not connected yet, and that gives up connecting in time. */
  readonly open: () => GracefulClient
  readonly maxConnections: number
  /** Statements that may be under way on one connection. More than one needs clients that pipeline. */
  readonly perConnection: number
  readonly prepare: boolean
  /** In milliseconds. */
  readonly lockTimeout: number
  /** Hears of connections that were lost while nothing ran on them. */
  readonly onError: (error: Error) => void
}

interface Job {
  readonly statement: Statement
  readonly values: readonly Parameter[]
  readonly operation: string
  readonly resolve: (rows: Row[]) => void
  readonly reject: (error: unknown) => void
  deadline: Deadline | undefined
  connection: Connection | undefined
}

interface Connection {
  readonly client: GracefulClient
  jobs: number
  isFree: boolean
  isLost: boolean
  idleSince: number
}

/** Connections that nothing ran on for so long are closed. */
const idleTimeout = 30_000
/** How long a server may take to say goodbye. */
const farewellTimeout = 500

/**
 * Statements on connections of our own, opened as they are needed.
 *
 * Does what a pool of `pg` does with less around each statement (no timer, promise or tick of its own), bounds every call,
 * and lets the connections of a pipelining client take several statements at once.
 */
export class OwnSession implements Session {
  readonly #options: OwnSessionOptions
  readonly #deadlines: Deadlines = new Deadlines()
  readonly #connections = new Set<Connection>()
  /** Connections with room. The last is taken first, so that those beyond the need stay idle and are closed. */
  readonly #free: Connection[] = []
  readonly #waiting = new Set<Job>()
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

  readonly run: Run = (statement, values, operation, timeout) =>
    new Promise<Row[]>((resolve, reject) => {
      if (this.#isClosed) throw closedError(operation)
      const job: Job = { statement, values, operation, resolve, reject, deadline: undefined, connection: undefined }
      job.deadline = this.#deadlines.start(timeout, () => this.#late(job, timeout))
      const connection = this.#free.pop()
      if (connection !== undefined) {
        this.#send(connection, job)
        return
      }
      this.#waiting.add(job)
      this.#openMore()
    })

  /** On a connection that is opened for it. */
  async exclusive<Result>(work: (run: Run) => Promise<Result>, operation: string): Promise<Result> {
    const client = this.#options.open()
    client.on('error', ignore)
    try {
      await client.connect()
      return await work((statement, values, name, timeout) => query(client, statement, values, false, name, timeout))
    } catch (error) {
      throw postgresError(error, operation)
    } finally {
      await this.#sayGoodbye(client)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#idleCheck)
    for (const job of this.#waiting) this.#fail(job, closedError(job.operation))
    await Promise.all([...this.#connections].map((connection) => this.#end(connection)))
  }

  #send(connection: Connection, job: Job, prepare: boolean = this.#prepare): void {
    job.connection = connection
    connection.isFree = false
    connection.jobs += 1
    if (connection.jobs === 1) keepAlive(connection.client, true)
    this.#put(connection)
    let prepared: PreparedQuery | undefined
    const done: Callback = (error, result) => {
      connection.jobs -= 1
      if (error === null || error === undefined) this.#succeed(job, result.rows)
      else if (prepared !== undefined && isStatementLost(error)) {
        // Names are not kept on this way to the server, unless it is only that the one before could not be prepared. Without
        // them it works, only slower.
        if (!prepared.leansOnOther) this.#prepare = false
        this.#send(connection, job, false)
        return
      } else {
        this.#fail(job, error)
        // After anything but an error of the server's own making nobody knows what the next answer would belong to.
        if (!isServerError(error)) this.#lose(connection)
      }
      this.#put(connection)
    }
    const { client } = connection
    const { statement, values } = job
    if (prepare) {
      const best = client.givesRawRows ? (statement.raw ?? statement) : statement
      prepared = new PreparedQuery(best, values, done)
      client.query(prepared as unknown as Submittable)
    } else sendQuery(client, statement, values, false, done)
  }

  /** Gives a connection with room its next statement, or lays it ready. */
  #put(connection: Connection): void {
    if (connection.isLost || connection.isFree || connection.jobs >= this.#options.perConnection) return
    for (const job of this.#waiting) {
      this.#waiting.delete(job)
      this.#send(connection, job)
      return
    }
    connection.isFree = true
    if (connection.jobs > 0) {
      // The others first: statements spread over connections that pipeline.
      this.#free.unshift(connection)
      return
    }
    connection.idleSince = performance.now()
    keepAlive(connection.client, false)
    this.#free.push(connection)
  }

  #openMore(): void {
    const { maxConnections } = this.#options
    while (
      !this.#isClosed &&
      this.#connecting < this.#waiting.size &&
      this.#connecting + this.#connections.size < maxConnections
    ) {
      this.#open()
    }
  }

  #open(): void {
    const client = this.#options.open()
    const connection: Connection = { client, jobs: 0, isFree: false, isLost: false, idleSince: 0 }
    client.on('error', (error) => {
      if (!connection.isLost && connection.jobs === 0) this.#options.onError(error)
      this.#lose(connection)
    })
    client.on('end', () => this.#lose(connection))
    this.#connecting += 1
    client.connect().then(
      () => {
        this.#connecting -= 1
        if (connection.isLost || this.#isClosed) return this.#sayGoodbye(client)
        // A pooler shares the session with others: nothing that is kept in it can be counted on.
        if (!client.isExclusive) this.#prepare = false
        this.#connections.add(connection)
        this.#checkIdle()
        this.#put(connection)
        return undefined
      },
      (error: unknown) => {
        this.#connecting -= 1
        connection.isLost = true
        // Where others are connected, they will serve those who wait.
        if (this.#connections.size > 0 || this.#connecting > 0) return
        for (const job of this.#waiting) this.#fail(job, error)
      },
    )
  }

  #succeed(job: Job, rows: Row[]): void {
    if (job.deadline !== undefined) this.#deadlines.end(job.deadline)
    job.resolve(rows)
  }

  #fail(job: Job, error: unknown): void {
    this.#waiting.delete(job)
    if (job.deadline !== undefined) this.#deadlines.end(job.deadline)
    job.reject(postgresError(error, job.operation))
  }

  #late(job: Job, timeout: number): void {
    this.#fail(job, timeoutError(job.operation, timeout))
    // The answer may still come, and on a pipelining connection those to all that was sent behind.
    if (job.connection !== undefined) this.#lose(job.connection)
  }

  #lose(connection: Connection): void {
    if (connection.isLost) return
    connection.isLost = true
    this.#connections.delete(connection)
    const index = this.#free.indexOf(connection)
    if (index >= 0) this.#free.splice(index, 1)
    connection.client.connection.stream.destroy()
    this.#openMore()
  }

  #checkIdle(): void {
    if (this.#idleCheck !== undefined) return
    this.#idleCheck = setTimeout(() => {
      this.#idleCheck = undefined
      const now = performance.now()
      for (const connection of [...this.#free]) {
        if (connection.jobs === 0 && now - connection.idleSince > idleTimeout) void this.#end(connection)
      }
      if (this.#connections.size > 0) this.#checkIdle()
    }, idleTimeout / 2)
    this.#idleCheck.unref()
  }

  async #end(connection: Connection): Promise<void> {
    connection.isLost = true
    this.#connections.delete(connection)
    const index = this.#free.indexOf(connection)
    if (index >= 0) this.#free.splice(index, 1)
    await this.#sayGoodbye(connection.client)
  }

  /** Ends a client in good order, or without it where the server does not answer. */
  async #sayGoodbye(client: GracefulClient): Promise<void> {
    keepAlive(client, true)
    const { stream } = client.connection
    const deadline = this.#deadlines.start(farewellTimeout, () => stream.destroy())
    await client.end().catch(() => {})
    this.#deadlines.end(deadline)
  }
}

/** Whether the connection keeps the process alive. */
function keepAlive(client: GracefulClient, isNeeded: boolean): void {
  const stream = client.connection.stream as { ref?(): void; unref?(): void }
  if (isNeeded) stream.ref?.()
  else stream.unref?.()
}

/** The statement that was running is told of the same error. */
function ignore(): void {}
