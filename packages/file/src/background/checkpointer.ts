import { failureKind } from '../errors.ts'
import { pageBytes } from '../index/schema.ts'
import type { BackgroundThread } from './background-thread.ts'

/** The part of an open directory that the checkpointer needs. */
export interface CheckpointHost {
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
  #limit = Infinity
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

  /** Sets the number of bytes from which on a checkpoint shortens the log. Other numbers apply when they are smaller. */
  limitLog(bytes: number): void {
    this.#limit = Math.max(1, bytes / pageBytes)
    this.#nextAt = Math.min(this.#nextAt, this.#limit)
  }

  /** Moves the whole log into the database, so that the next write starts it again. Resolves to whether it did. */
  async restartLog(): Promise<boolean> {
    await this.#running
    return this.#host.indexPath === '' ? false : this.#restartLog()
  }

  async #restartLog(): Promise<boolean> {
    const { indexPath, background, queue } = this.#host
    queue.pauseWrites()
    try {
      const { restarted = false, frames = 0 } = await background.run({
        kind: 'checkpoint',
        path: indexPath,
        wait: true,
        isScarce: this.#limit !== Infinity,
      })
      if (restarted) this.#restarted()
      else this.#nextAt = frames + Math.min(checkpointFrames, this.#limit)
      return restarted
    } catch (error) {
      if (failureKind(error) === 'full') return false
      throw error
    } finally {
      queue.resumeWrites()
    }
  }

  async #checkpoint(): Promise<void> {
    const { indexPath, background, queue } = this.#host
    if (indexPath === '') return
    // Writes wait on a nearly full disk: before a checkpoint in another thread ends, they could fill it.
    if (this.#limit !== Infinity) {
      await this.#restartLog()
      return
    }
    const calls = this.#calls
    const valueFrames = this.#valueFrames
    const task = { kind: 'checkpoint', path: indexPath } as const
    const { frames = 0 } = await background.run({ ...task, wait: false })
    this.#framesPerCall = Math.max(0.05, (frames - valueFrames) / calls)
    this.#nextAt = frames + Math.min(checkpointFrames, this.#limit)
    if (frames < Math.min(blockingFrames, 4 * this.#limit)) return
    // Only frames written during the first checkpoint are left. Without the pause, the other thread would have to find
    // a moment without a write of this thread.
    queue.pauseWrites()
    try {
      const { restarted = false } = await background.run({ ...task, wait: true })
      if (restarted) this.#restarted()
    } finally {
      queue.resumeWrites()
    }
  }

  #restarted(): void {
    this.#calls = 0
    this.#valueFrames = 0
    this.#nextAt = Math.min(checkpointFrames, this.#limit)
  }
}
