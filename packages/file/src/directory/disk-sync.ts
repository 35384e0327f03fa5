import type { WriteAheadLog } from '../index/write-ahead-log.ts'
import type { ValueFiles } from '../values/value-files.ts'
import type { CacheDirectory } from './cache-directory.ts'

/** Makes committed transactions safe against a loss of power. */
export class DiskSync {
  readonly #files: CacheDirectory
  readonly #values: ValueFiles
  readonly #currentLog: () => WriteAheadLog | undefined
  /** Whether a transaction was committed after the last sync. */
  #isDirty = false
  /** Whether the names of the index are safe. */
  #namesAreSafe = false
  #syncing: Promise<void> = Promise.resolve()

  constructor(files: CacheDirectory, values: ValueFiles, currentLog: () => WriteAheadLog | undefined) {
    this.#files = files
    this.#values = values
    this.#currentLog = currentLog
  }

  /** Notes a commit. */
  committed(): void {
    this.#isDirty = true
  }

  /** Notes that another index is open, whose names may not be safe. */
  indexOpened(): void {
    this.#namesAreSafe = false
  }

  async syncNames(): Promise<void> {
    await this.#files.sync()
    this.#namesAreSafe = true
  }

  /** Resolves when every acknowledged write is safe. */
  sync(): Promise<void> {
    // A running sync may have begun before the last write, and may fail. So each call waits for it and syncs again.
    this.#syncing = this.#syncing.catch(() => undefined).then(() => this.#syncOnce())
    return this.#syncing
  }

  async #syncOnce(): Promise<void> {
    const log = this.#currentLog()
    if (!this.#isDirty || log === undefined) return
    this.#isDirty = false
    try {
      // The log comes last, because its rows need their files.
      await this.#values.sync()
      if (!this.#namesAreSafe) await this.syncNames()
      await log.sync()
    } catch (error) {
      this.#isDirty = true
      throw error
    }
  }
}
