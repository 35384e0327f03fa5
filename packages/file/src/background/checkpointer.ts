import { pageBytes } from '../index/schema.ts'
import type { Engine } from '../index/sqlite.ts'
import type { BackgroundThread } from './background-thread.ts'

/** The part of an open directory that the checkpointer needs. */
export interface CheckpointHost {
  readonly settings: { readonly engine: Engine | undefined }
  readonly queue: { pauseWrites(): void; resumeWrites(): void }
  readonly background: BackgroundThread
  /** The path of the open index; empty while none is open. */
  readonly indexPath: string
  report(error: unknown, method: string): void
}

/** From this number of frames (one page each, 4 MB in total) on, the log is moved into the database. */
const checkpointFrames = 2048
/**
 * From this number of frames (16 MB) on, writers wait for the checkpoint: the next process to open the index reads the
 * whole log.
 */
const blockingFrames = 8192

/** Keeps the write-ahead log short, in another thread: a checkpoint would block the event loop for milliseconds. */
export class Checkpointer {
  readonly #host: CheckpointHost
  /** Frames that a call adds besides its value, by the last checkpoints; at first an estimate. */
  #framesPerCall = 2
  #calls = 0
  #valueFrames = 0
  /** The estimated number of frames at which the next checkpoint starts. */
  #nextAt = checkpointFrames
  #running: Promise<void> | undefined

  constructor(host: CheckpointHost) {
    this.#host = host
  }

  /**
   * Notes a commit, and starts a checkpoint when the log is long. The length of the log is an estimate: SQLite restarts
   * the log without shortening its file, so the file's size is no measure, and SQLite tells the length only in a
   * checkpoint.
   */
  committed(calls: number, bytes: number): void {
    this.#calls += calls
    this.#valueFrames += bytes / pageBytes
    const frames = this.#calls * this.#framesPerCall + this.#valueFrames
    if (frames < this.#nextAt || this.#running !== undefined) return
    this.#running = this.#checkpoint()
      .catch((error: unknown) => this.#host.report(error, 'checkpoint'))
      .finally(() => {
        this.#running = undefined
      })
  }

  async idle(): Promise<void> {
    await this.#running
  }

  async #checkpoint(): Promise<void> {
    const { indexPath, settings, background, queue } = this.#host
    if (indexPath === '') return
    const calls = this.#calls
    const valueFrames = this.#valueFrames
    const task = { kind: 'checkpoint', path: indexPath, engine: settings.engine } as const
    const { frames = 0 } = await background.run({ ...task, wait: false })
    this.#framesPerCall = Math.max(0.05, (frames - valueFrames) / calls)
    this.#nextAt = frames + checkpointFrames
    if (frames < blockingFrames) return
    // Only frames written during the first checkpoint are left. Without the pause, the other thread would have to find
    // a moment without a write of this thread.
    queue.pauseWrites()
    try {
      const { restarted = false } = await background.run({ ...task, wait: true })
      if (!restarted) return
      this.#calls = 0
      this.#valueFrames = 0
      this.#nextAt = checkpointFrames
    } finally {
      queue.resumeWrites()
    }
  }
}
