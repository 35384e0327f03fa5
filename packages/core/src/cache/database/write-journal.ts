import { invalidArgument } from '../../protocol/argument.ts'
import type { CacheBackend } from '../../protocol/backend.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import { createVersion } from '../../protocol/version.ts'
import type { QueuedChange } from '../items/writer-port.ts'

type Journal = CacheBackend & Required<Pick<CacheBackend, 'compareAndSet' | 'keys'>>

/** Everything of the journal starts with this, so that the backend may hold other things as well. */
const prefix = '@journal:'

/** Changes that the database does not have yet, in a backend that outlives the process: one item for each key, the last change. */
export class WriteJournal {
  readonly #backend: Journal
  /** Version of the journal's item for each change, so that a newer change of the same key is not forgotten with the older. */
  readonly #versions = new WeakMap<QueuedChange, string>()

  constructor(backend: CacheBackend) {
    if (typeof backend?.compareAndSet !== 'function' || typeof backend.keys !== 'function') {
      throw invalidArgument('writeBehind.journal', backend, 'a backend with compareAndSet and keys', 'new Cache')
    }
    this.#backend = backend as Journal
  }

  async write(change: QueuedChange): Promise<void> {
    const version = createVersion()
    this.#versions.set(change, version)
    const { key, value, deleted } = change
    await this.#backend.set({ key: prefix + key, value: deleted ? { deleted } : { value }, version, createdAt: 0 })
  }

  async forget(changes: readonly QueuedChange[]): Promise<void> {
    await Promise.all(
      changes.map((change) =>
        this.#backend.compareAndSet(prefix + change.key, this.#versions.get(change) ?? '', undefined),
      ),
    )
  }

  /** What a process before this one left. An item that is not a change is not used; `onDamaged` gets its error. */
  async read(onDamaged: (error: CacheError) => void): Promise<QueuedChange[]> {
    const changes: QueuedChange[] = []
    for await (const stored of this.#backend.keys(prefix)) {
      const item = await this.#backend.get(stored)
      if (item === undefined) continue
      const key = stored.slice(prefix.length)
      if (!isKept(item.value)) {
        onDamaged(
          new CacheError('DAMAGED', 'An item of the journal is not a change', { key, operation: 'writeBehind' }),
        )
        continue
      }
      const change = { key, value: item.value.value, deleted: item.value.deleted === true }
      this.#versions.set(change, item.version)
      changes.push(change)
    }
    return changes
  }
}

/** What the journal holds of a change. */
interface KeptChange {
  readonly value?: unknown
  readonly deleted?: unknown
}

/** Other code may have stored anything under the prefix, and a change without a value would write `undefined` to the database. */
function isKept(value: unknown): value is KeptChange {
  if (typeof value !== 'object' || value === null) return false
  const { value: kept, deleted } = value as KeptChange
  return kept !== undefined || deleted === true
}
