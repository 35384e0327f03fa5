import pg from 'pg'
import { timeoutError } from '../errors.ts'
import { startTimeout } from '../timeouts/start-timeout.ts'
import { quoteLiteral } from './quoting.ts'
import { type RowConnection, readRawRows } from './row-reader.ts'

/** The options of an own client that `pg` does not know. */
export interface OwnClientOptions {
  /** Milliseconds that connecting may take, including TLS, password and settings. */
  readonly connectTimeout: number
  /** Settings of the session, by name; made only where no other application shares the session. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A client that this package opens, and what it found out about its connection. */
export interface OwnClient extends pg.Client {
  /** Whether no other application shares the session, so that settings and prepared statements stay in it. */
  readonly isExclusive: boolean
  /** Whether rows arrive as `RawRow`. */
  readonly givesRawRows: boolean
}

type ConnectCallback = (error: Error | null | undefined, client?: pg.Client) => void

/**
 * A class of clients that stop connecting in time and detect whether a pooler shares their session. Unlike the timers
 * of `pg`, theirs never take a block of our own event loop for a silent server.
 */
export function ownClient(options: OwnClientOptions): new (config?: pg.ClientConfig) => OwnClient {
  const { connectTimeout, settings } = options
  return class extends pg.Client implements OwnClient {
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
      const stopTimeout = startTimeout(connectTimeout, () => {
        this.connection.stream.destroy(timeoutError('connect', connectTimeout))
      })
      const done: ConnectCallback = (error) => {
        stopTimeout()
        // The caller discards a client that failed, so the socket is closed here, connected or not.
        if (error) this.connection.stream.destroy()
        callback(error, this)
      }
      try {
        super.connect((error: Error | null) => {
          if (error || settings === undefined) done(error)
          else this.#makeSettings(settings).then(() => done(null), done)
        })
      } catch (error) {
        // Thrown for a host or port that a socket refuses.
        done(error as Error)
      }
    }

    /**
     * A pooler reports a process of its own instead of the server's. Behind a pooler nothing is set: the setting would
     * stay in a session that serves another application next.
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
