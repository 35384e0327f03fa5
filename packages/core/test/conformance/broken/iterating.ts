import { BytesBackend } from '../bytes-backend.ts'
import type { Broken } from './broken.ts'
import { bytes } from './bytes.ts'

export const brokenIterations: readonly Broken[] = [
  bytes(
    '8.1',
    'yields every key whatever the prefix',
    class extends BytesBackend {
      override keys(): AsyncIterable<string> {
        return super.keys()
      }
    },
  ),
  bytes(
    '8.1',
    'takes the prefix for a LIKE pattern when it lists',
    class extends BytesBackend {
      override async *keys(prefix = ''): AsyncIterable<string> {
        const plain = prefix.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&')
        const pattern = new RegExp(`^${plain.replaceAll('%', '.*').replaceAll('_', '.')}`, 's')
        for await (const key of super.keys()) if (pattern.test(key)) yield key
      }
    },
  ),
  bytes(
    '8.2',
    'yields placeholders',
    class extends BytesBackend {
      override async *keys(prefix = ''): AsyncIterable<string> {
        const stored = await this.request('keys', (entries) => [...entries.keys()])
        for (const key of stored) if (key.startsWith(this.prefix + prefix)) yield key.slice(this.prefix.length)
      }
    },
  ),
  bytes(
    '8.3',
    'pages by offset, so that what goes makes it skip what stays',
    class extends BytesBackend {
      override async *keys(prefix = ''): AsyncIterable<string> {
        for (let offset = 0; ; offset += 100) {
          const page = await this.request('keys', (entries) => [...entries.keys()].slice(offset, offset + 100))
          for (const key of page) if (key.startsWith(this.prefix + prefix)) yield key.slice(this.prefix.length)
          if (page.length === 0) return
        }
      }
    },
  ),
  bytes(
    '8.4',
    'holds a lock until an iteration is read to its end',
    class extends BytesBackend {
      #iterating = false

      override async *keys(prefix?: string): AsyncIterable<string> {
        if (this.#iterating) throw this.error('BACKEND_FAILURE', 'keys')
        this.#iterating = true
        yield* super.keys(prefix)
        this.#iterating = false
      }
    },
  ),
]
