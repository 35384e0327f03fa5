import type { Store } from '../directory/directory-handle.ts'
import { pageBytes } from '../index/schema.ts'

/** Frames of the log (a page each) from which on it is moved into the database: 4 MB. */
const enoughFrames = 2048
/** From here on writers wait for it, 16 MB: the log must not grow for ever, and whoever opens the index next must read all of it. */
const waitingFrames = 8192

/** Keeps the write-ahead log short, in another thread: a checkpoint on the event loop would hold it for milliseconds. */
export class Checkpointer {
  readonly #store: Store
  /** Frames that an operation adds besides its value, as the last checkpoints found; half of it is a guess. */
  #framesPerOperation = 2
  #operations = 0
  #valueFrames = 0
  /** Frames from which on to look again. */
  #next = enoughFrames
  #running: Promise<void> | undefined

  constructor(store: Store) {
    this.#store = store
  }

  /**
   * Called after every commit. The length of the log is estimated: SQLite writes from its beginning again without cutting
   * it, so the size of the file says nothing, and asking SQLite means a checkpoint.
   */
  written(operations: number, bytes: number): void {
    this.#operations += operations
    this.#valueFrames += bytes / pageBytes
    const frames = this.#operations * this.#framesPerOperation + this.#valueFrames
    if (frames < this.#next || this.#running !== undefined) return
    this.#running = this.#checkpoint()
      .catch((error: unknown) => this.#store.report(error, 'checkpoint'))
      .finally(() => {
        this.#running = undefined
      })
  }

  async idle(): Promise<void> {
    await this.#running
  }

  async #checkpoint(): Promise<void> {
    const { indexPath, settings, background } = this.#store
    if (indexPath === '') return
    const operations = this.#operations
    const valueFrames = this.#valueFrames
    const task = { kind: 'checkpoint', path: indexPath, engine: settings.engine } as const
    const { frames = 0 } = await background.run({ ...task, wait: false })
    this.#framesPerOperation = Math.max(0.05, (frames - valueFrames) / operations)
    this.#next = frames + enoughFrames
    if (frames < waitingFrames) return
    // Only what was written during the first checkpoint is left. Without the pause the other thread would have to find a
    // moment in which this one does not write.
    this.#store.queue.pauseWrites()
    try {
      const { restarted = false } = await background.run({ ...task, wait: true })
      if (!restarted) return
      this.#operations = 0
      this.#valueFrames = 0
      this.#next = enoughFrames
    } finally {
      this.#store.queue.resumeWrites()
    }
  }
}
