import type { Item } from '@cache/core/backend'
import type { Items } from '../items.ts'

export interface ImportReport {
  readonly imported: number
  /** The first hundred failures. */
  readonly failures: readonly ImportFailure[]
  /** The number of all failures. */
  readonly failed: number
}

export interface ImportFailure {
  /** The line of a dump, or the file or key of another store. */
  readonly at: string
  readonly reason: string
}

const itemsPerBatch = 64
const maxFailures = 100

/** One import: stores items in batches and collects failures. */
export class ItemImport {
  readonly #items: Items
  readonly #failures: ImportFailure[] = []
  #batch: Item[] = []
  #imported = 0
  #failed = 0

  constructor(items: Items) {
    this.#items = items
  }

  /** Adds the item that `read` returns, if any. An error of `read` is a failure of this item alone. */
  async add(at: string, read: () => Item | undefined): Promise<void> {
    try {
      const item = read()
      if (item === undefined) return
      // An item that cannot be encoded fails here, and so does not fail its batch.
      this.#items.writer.encode(item)
      this.#batch.push(item)
    } catch (error) {
      this.fail(at, error)
      return
    }
    if (this.#batch.length >= itemsPerBatch) await this.#storeBatch()
  }

  fail(at: string, error: unknown): void {
    this.#failed += 1
    if (this.#failures.length >= maxFailures) return
    this.#failures.push({ at, reason: error instanceof Error ? error.message : String(error) })
  }

  async finish(): Promise<ImportReport> {
    await this.#storeBatch()
    return { imported: this.#imported, failures: this.#failures, failed: this.#failed }
  }

  async #storeBatch(): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    await this.#items.setMany(batch)
    this.#imported += batch.length
  }
}
