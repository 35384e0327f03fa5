import type { Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend } from '../bytes-backend.ts'
import type { Broken, Expected, Next } from './broken.ts'
import { bytes } from './bytes.ts'

export const brokenSequences: readonly Broken[] = [
  bytes(
    '14.1',
    'loses one write in fifty',
    class extends BytesBackend {
      #writes = 0

      override async set(item: Item): Promise<void> {
        this.#writes += 1
        if (this.#writes % 50 !== 0) await super.set(item)
      }
    },
  ),
  bytes(
    '14.1',
    'makes the counter that follows a placeholder a placeholder when it has a deadline',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const held = await this.get(key)
        const sum = await super.increment(key, delta, expiresAt)
        if (held && held.value === undefined && expiresAt !== undefined) await this.delete(key)
        return sum
      }
    },
  ),
  bytes(
    '14.2',
    'mixes up the answers of two reads that are under way',
    class extends BytesBackend {
      #asked = ''

      override async get(key: string): Promise<Item | undefined> {
        this.#asked = key
        await null
        return super.get(this.#asked)
      }
    },
  ),
  bytes(
    '14.3',
    'compares in one request and writes in the next when something is there',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        if (expected === undefined) return super.compareAndSet(key, expected, next)
        if ((await this.get(key))?.version !== expected) return false
        if (next) await this.set(next)
        else await this.delete(key)
        return true
      }
    },
  ),
]
