import type { CacheBackend, Item } from '../../src/index.ts'
import { MapBackend } from './map-backend.ts'

/** A transaction over the reference store: a copy of the items, which replaces what it changed when it commits. */
export class Transaction {
  readonly #open: Promise<void>
  #end: () => void = () => {}
  /** Keys that were removed, which others may not replace before the end. */
  readonly closed: Set<string> = new Set()
  readonly changed: Set<string> = new Set()

  constructor() {
    this.#open = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  ended(): Promise<void> {
    return this.#open
  }

  end(): void {
    this.closed.clear()
    this.#end()
  }
}

/** The reference store with transactions of an application: one at a time. It has no `sync`, since others write too. */
export class TransactionalBackend extends MapBackend {
  readonly #items: Map<string, Item>
  #transaction = new Transaction()
  #view: Map<string, Item> = new Map()

  constructor(options: ConstructorParameters<typeof MapBackend>[0] & { readonly items: Map<string, Item> }) {
    super(options)
    this.#items = options.items
  }

  begin(): { transaction: Transaction; commit(): Promise<void>; rollBack(): Promise<void> } {
    const transaction = new Transaction()
    this.#transaction = transaction
    this.#view = new Map(this.#items)
    const commit = async (): Promise<void> => {
      for (const key of transaction.changed) {
        const item = this.#view.get(key)
        if (item === undefined) this.#items.delete(key)
        else this.#items.set(key, item)
      }
      transaction.end()
    }
    return { transaction, commit, rollBack: async () => transaction.end() }
  }

  override async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    if (this.#transaction.closed.has(key)) await this.#transaction.ended()
    return super.compareAndSet(key, expected, next)
  }

  inTransaction(given: unknown): CacheBackend & Required<Pick<CacheBackend, 'getMany' | 'setMany' | 'deleteMany'>> {
    const transaction = given as Transaction
    const view = new MapBackend({ items: this.#view })
    /** Notes the keys that the work changes, and closes those that it removes. */
    const changing = async <Answer>(keys: readonly string[], work: () => Promise<Answer>): Promise<Answer> => {
      const answer = await work()
      for (const key of keys) {
        transaction.changed.add(key)
        if (this.#view.has(key)) transaction.closed.delete(key)
        else transaction.closed.add(key)
      }
      return answer
    }
    return {
      name: this.name,
      get: (key) => view.get(key),
      getMany: (keys) => view.getMany(keys),
      keys: (prefix) => view.keys(prefix),
      set: (item) => changing([item.key], () => view.set(item)),
      setMany: (items) =>
        changing(
          items.map(({ key }) => key),
          () => view.setMany(items),
        ),
      delete: (key) => changing([key], () => view.delete(key)),
      deleteMany: (keys) => changing(keys, () => view.deleteMany(keys)),
      compareAndSet: (key, expected, next) => changing([key], () => view.compareAndSet(key, expected, next)),
      increment: (key, delta, end) => changing([key], () => view.increment(key, delta, end)),
      clear: (prefix = '') =>
        changing(
          [...this.#view.keys()].filter((key) => key.startsWith(prefix)),
          () => view.clear(prefix),
        ),
    }
  }
}
