import type { Database, Statement } from './sqlite.ts'

/**
 * A second connection whose read transaction makes the reads of the first one cheaper. Each of those reads still has a
 * transaction of its own and sees the latest commit.
 *
 * Most of the cost of a short read are two system calls that lock and unlock its place in the log. SQLite makes none
 * while another connection of the process holds a shared lock of the same place. After a commit, reads use another
 * place, and make the calls again.
 */
export class ReadPin {
  readonly #open: () => Promise<Database>
  #database: Database | undefined
  #firstRead: Statement | undefined
  #isOpening = false
  #isClosed = false
  #isHeld = false

  constructor(open: () => Promise<Database>) {
    this.#open = open
  }

  /** Takes the shared lock. The first call only opens the connection. A failure has no effect on reads but their cost. */
  take(): void {
    if (this.#isHeld) return
    if (this.#database === undefined) {
      this.#startOpening()
      return
    }
    try {
      this.#database.exec('begin')
      this.#isHeld = true
      this.#firstRead?.get()
    } catch {
      this.release()
    }
  }

  release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    try {
      this.#database?.exec('commit')
    } catch {
      // SQLite has ended the transaction.
    }
  }

  close(): void {
    this.#isClosed = true
    this.#isHeld = false
    try {
      this.#database?.close()
    } catch {
      // The connection has changed nothing that could be lost.
    }
    this.#database = undefined
  }

  #startOpening(): void {
    if (this.#isOpening || this.#isClosed) return
    this.#isOpening = true
    this.#open().then(
      (database) => this.#opened(database),
      // Reads continue without it.
      () => undefined,
    )
  }

  #opened(database: Database): void {
    this.#database = database
    if (this.#isClosed) {
      this.close()
      return
    }
    try {
      database.exec('pragma busy_timeout = 0; pragma mmap_size = 0; pragma cache_size = 1')
      this.#firstRead = database.prepare('select 1 from sqlite_schema limit 1')
    } catch {
      this.close()
    }
  }
}
