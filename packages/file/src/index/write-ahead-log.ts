import { open } from 'node:fs/promises'

/** The write-ahead log beside the index: making it safe against a loss of power. */
export class Wal {
  readonly #path: string
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(indexPath: string) {
    this.#path = `${indexPath}-wal`
  }

  /**
   * Resolves when everything that was committed before the call is on the disk. Calls while one runs share the next one.
   *
   * SQLite itself would do this inside the commit (`synchronous = full`), holding the event loop for as long as the disk
   * takes. The frames of the log carry checksums, and recovery takes all that are whole, so it makes no difference who
   * asks the operating system to write them. The -wal file carries no locks, so opening and closing it breaks none.
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
      const file = await open(this.#path, 'r')
      try {
        await file.datasync()
      } finally {
        await file.close()
      }
    } catch (error) {
      // Without a log everything is in the database file, which the checkpoint made safe.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}
