import { openRegularFile } from '../disk/open-regular-file.ts'

/** The write-ahead log of the index, which `sync` makes safe against a loss of power. */
export class WriteAheadLog {
  readonly #path: string
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(indexPath: string) {
    this.#path = `${indexPath}-wal`
  }

  /**
   * Resolves when every transaction committed before the call is on the disk. Calls during a sync share the next one.
   *
   * SQLite would do this inside the commit (`synchronous = full`) and block the event loop while the disk writes. The
   * frames of the log have checksums, and recovery takes all whole frames, so any process may sync the file. The -wal
   * file has no locks, so opening and closing it breaks none.
   */
  sync(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#sync().finally(() => {
        this.#running = undefined
      })
      return this.#running
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.sync()
      })
    return this.#next
  }

  async #sync(): Promise<void> {
    try {
      const file = await openRegularFile(this.#path)
      try {
        await file.datasync()
      } finally {
        await file.close()
      }
    } catch (error) {
      // Without a log, all transactions are in the database file, and a checkpoint has synced it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}
