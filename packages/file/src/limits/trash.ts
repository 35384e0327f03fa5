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

/** Unlinks value files that no row needs, after the commit that removed their rows. */
export class Trash {
  readonly #host: TrashHost
  #running: Promise<void> | undefined

  constructor(host: TrashHost) {
    this.#host = host
  }

  /** Starts unless it runs already. A failure is reported, and a later write starts it again. */
  empty(): void {
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
    const files = await queue.read('trash', undefined, (index) => index.trash(filesPerStep))
    if (files.length === 0) return
    // A loss of power could undo the commit, and so restore the rows that name these files.
    if (settings.durability === 'full') await this.#host.syncLog()
    // The files go before their rows of the trash: a crash in between leaves rows of missing files, which are harmless.
    await Promise.all(files.map((file) => values.remove(file)))
    await queue.write('trash', undefined, (index) => {
      for (const file of files) index.forgetTrash(file)
    })
    if (files.length === filesPerStep) await this.#empty()
  }
}
