import pg from 'pg'
import { deadline } from './deadline.ts'
import { timeoutError } from './errors.ts'

/** What a client of our own is given besides the options of `pg`. */
export interface GracefulClientOptions {
  /** Milliseconds that connecting may take, with TLS, password and settings. */
  readonly connectTimeout: number
  /** Settings for the session, sent once it is connected; none behind a pooler that shares sessions. */
  readonly settings: string | undefined
}

type ConnectCallback = (error: Error | null | undefined, client?: pg.Client) => void

/**
 * A class of clients that give up connecting in time, and that do not take a block of our own event loop for a silent
 * server, as the timers of `pg` do.
 */
export function gracefulClient(options: GracefulClientOptions): new (config?: pg.ClientConfig) => pg.Client {
  const { connectTimeout, settings } = options
  return class GracefulClient extends pg.Client {
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
        callback(error, this)
      }
      super.connect((error: Error | null) => {
        if (error || settings === undefined) done(error)
        else this.query(settings).then(() => done(null), done)
      })
    }
  }
}
