import type { BackendEvent, BackendPart, BackendStats, Item } from '../../../src/backend-kit/index.ts'
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
  bytes(
    '12.12',
    'reports a store that answers as down',
    class extends BytesBackend {
      override describe(): BackendPart {
        return { kind: 'store', name: this.name, status: 'down', message: 'no connection', backend: this }
      }
    },
  ),
  bytes(
    '12.12',
    'reports a part that is not ok without a message',
    class extends BytesBackend {
      override describe(): BackendPart {
        return { ...super.describe(), parts: [{ kind: 'bus', name: 'bus', status: 'degraded' }] }
      }
    },
  ),
  bytes(
    '12.13',
    'refuses to describe itself after close',
    class extends BytesBackend {
      override describe(): BackendPart {
        if (this.closed) throw this.error('CLOSED', 'describe')
        return super.describe()
      }
    },
  ),
  bytes(
    '12.13',
    'reports itself as ok after close',
    class extends BytesBackend {
      override describe(): BackendPart {
        return { kind: 'store', name: this.name, status: 'ok', backend: this }
      }
    },
  ),
]
