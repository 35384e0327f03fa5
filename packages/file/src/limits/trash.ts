import type { Store } from '../directory/directory-handle.ts'

/** How many files are unlinked at a time. */
const step = 64

/** Unlinks value files that no row needs any more, after the commit that gave them up. */
export class Trash {
  readonly #store: Store
  #running: Promise<void> | undefined

  constructor(store: Store) {
    this.#store = store
  }

  /** Starts, unless it is under way. Failures are reported and tried again with a later write. */
  empty(): void {
    this.#running ??= this.#empty()
      .catch((error: unknown) => this.#store.report(error, 'trash'))
      .finally(() => {
        this.#running = undefined
      })
  }

  async idle(): Promise<void> {
    await this.#running
  }

  async #empty(): Promise<void> {
    const { queue, values, settings, wal } = this.#store
    const files = await queue.read('trash', undefined, (index) => index.trash(step))
    if (files.length === 0) return
    // A loss of power could take back the commit that gave them up, and bring back the rows that name them.
    if (settings.durability === 'full') await wal?.sync()
    // First the file, then its record: a crash in between leaves a record of a file that is gone, which does no harm.
    await Promise.all(files.map((file) => values.remove(file)))
    await queue.write('trash', undefined, (index) => {
      for (const file of files) index.forgetTrash(file)
    })
    if (files.length === step) await this.#empty()
  }
}
