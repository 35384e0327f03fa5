import type { CallQueue } from '../calls/call-queue.ts'
import type { ValueFiles } from '../values/value-files.ts'

/** The part of an open directory that the trash needs. */
export interface TrashHost {
  readonly settings: { readonly durability: 'normal' | 'full' }
  readonly queue: CallQueue
  readonly values: ValueFiles
  /** Makes the committed transactions safe against a loss of power. */
  syncLog(): Promise<void>
  report(error: unknown, method: string): void
}

/** Files that are unlinked at a time. */
const filesPerStep = 64
/** Milliseconds after a failed removal in which no other one starts: every write asks for one. */
const pauseAfterFailure = 1000

/** Unlinks value files that no row needs, after the commit that removed their rows. */
export class Trash {
  readonly #host: TrashHost
  #running: Promise<void> | undefined
  #pausedUntil = 0

  constructor(host: TrashHost) {
    this.#host = host
  }

  /** Starts unless it runs already. A failure is reported, and a later write starts it again. */
  empty(): void {
    if (performance.now() < this.#pausedUntil) return
    this.#running ??= this.#empty()
      .catch((error: unknown) => this.#host.report(error, 'trash'))
      .finally(() => {
        this.#running = undefined
      })
  }

  async idle(): Promise<void> {
    await this.#running
  }

  async #empty(): Promise<void> {
    const { queue, values, settings } = this.#host
    let after = ''
    for (;;) {
      const from = after
      const files = await queue.read('trash', undefined, (index) => index.trash(from, filesPerStep))
      if (files.length === 0) return
      // A loss of power could undo the commit, and so restore the rows that name these files.
      if (settings.durability === 'full') await this.#host.syncLog()
      // The files go before their rows of the trash: a crash in between leaves rows of missing files, which are
      // harmless. A file that cannot be removed keeps its row, and does not keep the others from being removed.
      const outcomes = await Promise.allSettled(files.map((file) => values.remove(file)))
      const removed = files.filter((_, at) => outcomes[at]?.status === 'fulfilled')
      await queue.remove('trash', undefined, (index) => {
        for (const file of removed) index.forgetTrash(file)
      })
      const failure = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failure !== undefined) {
        this.#pausedUntil = performance.now() + pauseAfterFailure
        this.#host.report(failure.reason, 'trash')
      }
      if (files.length < filesPerStep) return
      after = files.at(-1) as string
    }
  }
}
