import pg from 'pg'
import { timeoutError } from '../errors.ts'
import { deadline } from '../timeouts/start-timeout.ts'
import { type RowConnection, readRawRows } from './row-reader.ts'
import { quoteLiteral } from './statement.ts'

/** What a client of our own is given besides the options of `pg`. */
export interface GracefulClientOptions {
  /** Milliseconds that connecting may take, with TLS, password and settings. */
  readonly connectTimeout: number
  /** Settings of the session, by name; made only where the session is ours alone. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A client of our own, and what it found out about its connection. */
export interface GracefulClient extends pg.Client {
  /** Whether the session behind the connection is ours alone, so that settings and prepared statements stay in it. */
  readonly isExclusive: boolean
  /** Whether rows are handed over as `RawRow`. */
  readonly givesRawRows: boolean
}

type ConnectCallback = (error: Error | null | undefined, client?: pg.Client) => void

/**
 * A class of clients that give up connecting in time, that do not take a block of our own event loop for a silent server,
 * as the timers of `pg` do, and that find out whether a pooler shares their session with others.
 */
export function gracefulClient(options: GracefulClientOptions): new (config?: pg.ClientConfig) => GracefulClient {
  const { connectTimeout, settings } = options
  return class extends pg.Client implements GracefulClient {
    isExclusive = false
    readonly givesRawRows: boolean = readRawRows(this.connection as unknown as RowConnection)

    override connect(): Promise<pg.Client>
    override connect(callback: ConnectCallback): void
    override connect(callback?: ConnectCallback): Promise<pg.Client> | undefined {
      if (callback !== undefined) {
        this.#connect(callback)
        return undefined
      }
      return new Promise((resolve, reject) => {
        this.#connect((error) => (error ? reject(error) : resolve(this)))
      })
    }

    #connect(callback: ConnectCallback): void {
      const end = deadline(connectTimeout, () => {
        this.connection.stream.destroy(timeoutError('connect', connectTimeout))
      })
      const done: ConnectCallback = (error) => {
        end()
        // Connected or not: nobody would close it.
        if (error) this.connection.stream.destroy()
        callback(error, this)
      }
      super.connect((error: Error | null) => {
        if (error || settings === undefined) done(error)
        else this.#makeSettings(settings).then(() => done(null), done)
      })
    }

    /**
     * A pooler announces a process of its own instead of the server's. Behind it nothing is set: it would stay in a session
     * that is another application's next.
     */
    async #makeSettings(wanted: Readonly<Record<string, string>>): Promise<void> {
      const { processID } = this as unknown as { readonly processID: number | null }
      const made = Object.entries(wanted).map(
        ([name, value]) => `set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, false)`,
      )
      const { rows } = await this.query(`select ${made.join(', ')} where pg_backend_pid() = ${Number(processID ?? 0)}`)
      this.isExclusive = rows.length > 0
    }
  }
}
