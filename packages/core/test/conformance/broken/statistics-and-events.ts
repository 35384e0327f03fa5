import type { BackendEvent, BackendStats, Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import type { Broken } from './broken.ts'
import { bytes } from './bytes.ts'

export const brokenStatistics: readonly Broken[] = [
  bytes(
    '12.1',
    'counts writes as items',
    class extends BytesBackend {
      #writes = 0

      override async set(item: Item): Promise<void> {
        this.#writes += 1
        await super.set(item)
      }

      override async stats(): Promise<BackendStats> {
        return { ...(await super.stats()), items: this.#writes }
      }
    },
  ),
  bytes(
    '12.2',
    'evicts without a word',
    class extends BytesBackend {
      override listen(listener: (event: BackendEvent) => void): () => void {
        return super.listen((event) => {
          if (event.type !== 'evict') listener(event)
        })
      }
    },
  ),
  bytes(
    '12.2',
    'counts deletes as evictions',
    class extends BytesBackend {
      override async delete(key: string): Promise<boolean> {
        const found = await super.delete(key)
        if (found) this.evictions += 1
        return found
      }
    },
  ),
  bytes(
    '12.3',
    'knows no limit',
    class extends BytesBackend {
      protected override evict(): void {}
    },
  ),
  bytes(
    '12.3',
    'drops everything when the limit is reached',
    class extends BytesBackend {
      protected override evict(entries: Entries): void {
        if (entries.size > (this.options.maxEntries ?? Number.POSITIVE_INFINITY)) entries.clear()
      }
    },
  ),
  bytes(
    '12.4',
    'goes on telling a listener that stopped',
    class extends BytesBackend {
      override listen(listener: (event: BackendEvent) => void): () => void {
        super.listen(listener)
        return () => {}
      }
    },
  ),
  bytes(
    '12.4',
    'stops telling everybody when one stops',
    class extends BytesBackend {
      #stops: (() => void)[] = []

      override listen(listener: (event: BackendEvent) => void): () => void {
        this.#stops.push(super.listen(listener))
        return () => {
          for (const stop of this.#stops) stop()
        }
      }
    },
  ),
  bytes(
    '12.5',
    'counts deletes as expired',
    class extends BytesBackend {
      override async delete(key: string): Promise<boolean> {
        const found = await super.delete(key)
        if (found) this.expired += 1
        return found
      }
    },
  ),
  bytes(
    '12.5',
    'tells the end of an item at every look',
    class extends BytesBackend {
      protected override expire(_entries: Entries, key: string): void {
        this.expired += 1
        this.hub.emit({ type: 'expire', key })
      }
    },
  ),
  bytes(
    '12.6',
    'adds up what was ever written',
    class extends BytesBackend {
      #written = 0

      protected override write(entries: Entries, item: Item, stored: Uint8Array): void {
        this.#written += stored.length
        super.write(entries, item, stored)
      }

      protected override size(): number {
        return this.#written
      }
    },
  ),
]
