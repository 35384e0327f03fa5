import type { Client } from 'pg'
import { deadline } from './deadline.ts'
import { closedError, postgresError, timeoutError } from './errors.ts'
import { isServerError, isStatementLost, query } from './query.ts'
import type { Row, Run, Session } from './session.ts'

export interface PipelineSessionOptions {
  /** Makes a client that is not connected yet. */
  readonly open: () => Client
  /** Connections, used in turn. */
  readonly size: number
  readonly prepare: boolean
  /** Hears of connections that were lost while nothing ran on them. */
  readonly onError: (error: Error) => void
}

interface Connection {
  readonly client: Client
  readonly connected: Promise<void>
  isLost: boolean
}

/**
 * Statements on a few connections that send the next before the answer to the last has come (`pipeline` of pg 8.23). More
 * per connection and second, but a statement that waits in the server lets all behind it wait.
 */
export class PipelineSession implements Session {
  readonly #options: PipelineSessionOptions
  readonly #connections: (Connection | undefined)[]
  #turn = 0
  #prepare: boolean
  #isClosed = false

  constructor(options: PipelineSessionOptions) {
    this.#options = options
    this.#prepare = options.prepare
    this.#connections = new Array<undefined>(options.size).fill(undefined)
  }

  readonly run: Run = async (statement, values, operation, timeout) => {
    if (this.#isClosed) throw closedError(operation)
    this.#turn = (this.#turn + 1) % this.#connections.length
    const connection = this.#connection(this.#turn)
    const since = performance.now()
    await connectedWithin(connection, operation, timeout)
    const send = (prepare: boolean): Promise<Row[]> => {
      const left = Math.max(1, timeout - (performance.now() - since))
      return query(connection.client, statement, values, prepare, operation, left)
    }
    try {
      return await send(this.#prepare).catch((error: unknown) => {
        if (!this.#prepare || !isStatementLost(error)) throw error
        this.#prepare = false
        return send(false)
      })
    } catch (error) {
      // After a timeout the answers of all that was sent behind would come late, too.
      if (!isServerError(error)) lose(connection)
      throw postgresError(error, operation)
    }
  }

  async exclusive<Result>(work: (run: Run) => Promise<Result>, operation: string, timeout: number): Promise<Result> {
    const connection = this.#open()
    try {
      await connectedWithin(connection, operation, timeout)
      return await work((statement, values, name, left) =>
        query(connection.client, statement, values, false, name, left),
      )
    } catch (error) {
      throw postgresError(error, operation)
    } finally {
      await end(connection)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const open = this.#connections.filter((connection) => connection !== undefined)
    await Promise.all(open.map(end))
  }

  #connection(index: number): Connection {
    const found = this.#connections[index]
    if (found !== undefined && !found.isLost) return found
    const connection = this.#open()
    this.#connections[index] = connection
    return connection
  }

  #open(): Connection {
    const client = this.#options.open()
    const connection = { client, isLost: false, connected: Promise.resolve() }
    client.on('error', (error) => {
      if (!connection.isLost) this.#options.onError(error)
      connection.isLost = true
    })
    client.on('end', () => {
      connection.isLost = true
    })
    connection.connected = client.connect().then(() => undefined)
    connection.connected.catch(() => {
      connection.isLost = true
    })
    return connection
  }
}

async function connectedWithin(connection: Connection, operation: string, timeout: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = deadline(timeout, () => reject(timeoutError(operation, timeout)))
    connection.connected.then(
      () => {
        stop()
        resolve()
      },
      (error: unknown) => {
        stop()
        reject(postgresError(error, operation))
      },
    )
  })
}

function lose(connection: Connection): void {
  connection.isLost = true
  connection.client.connection.stream.destroy()
}

/** Does not wait for a server that may be frozen. */
async function end(connection: Connection): Promise<void> {
  await connection.connected.catch(() => {})
  if (connection.isLost) return
  connection.isLost = true
  await connection.client.end().catch(() => {})
}
