import { Background } from './background.ts'
import type { Store } from './store.ts'

/** Commits between two looks at the size of the log. */
const commitsPerLook = 32
/** From this size on the log is moved into the database. */
const passiveBytes = 4 * 1024 * 1024
/** From this size on writers wait for it: the log must not grow for ever, and whoever opens the index next must read all of it. */
const waitingBytes = 24 * 1024 * 1024

/** Keeps the write-ahead log short, in another thread: a checkpoint on the event loop would hold it for milliseconds. */
export class Checkpointer {
  readonly background: Background = new Background()
  readonly #store: Store
  #commits = 0
  #operations = 0
  #running: Promise<void> | undefined

  constructor(store: Store) {
    this.#store = store
  }

  /** Called after every commit. */
  written(operations: number): void {
    this.#commits += 1
    this.#operations += operations
    if ((this.#commits < commitsPerLook && this.#operations < 1000) || this.#running !== undefined) return
    this.#commits = 0
    this.#operations = 0
    this.#running = this.#look()
      .catch((error: unknown) => this.#store.report(error, 'checkpoint'))
      .finally(() => {
        this.#running = undefined
      })
  }

  async idle(): Promise<void> {
    await this.#running
  }

  async close(): Promise<void> {
    await this.#running
    await this.background.close()
  }

  async #look(): Promise<void> {
    const { wal, indexPath, settings } = this.#store
    const bytes = (await wal?.bytes()) ?? 0
    if (bytes < passiveBytes || indexPath === '') return
    await this.background.run({
      kind: 'checkpoint',
      path: indexPath,
      engine: settings.engine,
      wait: bytes > waitingBytes,
    })
  }
}
