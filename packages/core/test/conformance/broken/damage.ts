import type { BackendEvent, Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import type { Broken, Expected, Next } from './broken.ts'
import { bytes } from './bytes.ts'

export const brokenByDamage: readonly Broken[] = [
  bytes(
    '9.1',
    'rejects when the stored bytes cannot be read',
    class extends BytesBackend {
      protected override read(entries: Entries, key: string): Item | undefined {
        const stored = entries.get(this.at(key))
        if (stored && stored[0] !== 1) throw this.error('DAMAGED', 'get', key)
        return super.read(entries, key)
      }
    },
  ),
  bytes(
    '9.1',
    'says nothing of damage',
    class extends BytesBackend {
      override listen(listener: (event: BackendEvent) => void): () => void {
        return super.listen((event) => {
          if (event.type !== 'error') listener(event)
        })
      }
    },
  ),
  bytes(
    '9.2',
    'loses a whole batch to one damaged item',
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        let damaged = false
        const stop = this.listen((event) => {
          damaged ||= event.type === 'error'
        })
        const found = await super.getMany(keys)
        stop()
        return damaged ? keys.map(() => undefined) : found
      }
    },
  ),
  bytes(
    '9.2',
    'leaves damaged bytes where they are when it deletes',
    class extends BytesBackend {
      protected override remove(entries: Entries, key: string): boolean {
        const stored = entries.get(this.at(key))
        const damaged = stored !== undefined && stored[0] !== 1
        return super.remove(entries, key) || (damaged && entries.set(this.at(key), stored) && false)
      }

      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        const damaged = await this.request('compareAndSet', (entries) => (entries.get(this.at(key)) ?? [1])[0] !== 1)
        return damaged && next === undefined ? false : super.compareAndSet(key, expected, next)
      }
    },
  ),
  bytes(
    '9.3',
    'reads a later format as if it were its own',
    class extends BytesBackend {
      protected override read(entries: Entries, key: string): Item | undefined {
        const stored = entries.get(this.at(key))
        if (stored && stored[0] === 2) stored[0] = 1
        return super.read(entries, key)
      }
    },
  ),
  bytes(
    '9.4',
    'lets a damaged item block a compareAndSet for ever',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        const free = await this.request(
          'compareAndSet',
          (entries) => this.read(entries, key) !== undefined || !entries.has(this.at(key)),
        )
        return free && super.compareAndSet(key, expected, next)
      }
    },
  ),
  bytes(
    '9.5',
    'counts on from what it can make of damaged bytes',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const stored = await this.request('increment', (entries) => entries.get(this.at(key)))
        const found = await this.get(key)
        if (stored && !found) return (stored[0] ?? 0) + 41 + delta
        return super.increment(key, delta, expiresAt)
      }
    },
  ),
  bytes(
    '9.6',
    'ends an iteration at the first damaged item',
    class extends BytesBackend {
      override async *keys(prefix = ''): AsyncIterable<string> {
        const stored = await this.request('keys', (entries) => [...entries.keys()])
        for (const key of stored) {
          const own = key.slice(this.prefix.length)
          const item = await this.get(own)
          if (item === undefined) throw this.error('DAMAGED', 'keys', own)
          if (own.startsWith(prefix) && item.value !== undefined) yield own
        }
      }
    },
  ),
]
