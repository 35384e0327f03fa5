import type { Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend } from '../bytes-backend.ts'
import type { Broken } from './broken.ts'
import { bytes } from './bytes.ts'

/** A backend that stores every key under another one. */
function confusing(rule: string, does: string, change: (key: string) => string): Broken {
  return bytes(
    rule,
    does,
    class extends BytesBackend {
      protected override at(key: string): string {
        return this.prefix + change(key)
      }
    },
  )
}

export const brokenKeys: readonly Broken[] = [
  confusing('4.1', 'folds case', (key) => key.toLowerCase()),
  confusing('4.1', 'drops spaces at the end', (key) => key.replace(/ +$/, '')),
  confusing('4.1', 'composes accents', (key) => key.normalize('NFC')),
  confusing('4.1', 'ends keys at NUL', (key) => key.split('\0')[0] ?? ''),
  confusing('4.1', 'replaces lone surrogates', (key) => Buffer.from(key).toString()),
  confusing('4.1', 'takes a backslash for a slash', (key) => key.replaceAll('\\', '/')),
  confusing('4.1', 'decodes percent signs', (key) => key.replace(/%2F/g, '/')),
  confusing('4.1', 'cuts keys at 250 characters', (key) => key.slice(0, 250)),
  confusing(
    '4.1',
    'stores by the path that a key makes',
    (key) => new URL(encodeURI(Buffer.from(key).toString()), 'file:///').pathname,
  ),
  bytes(
    '4.1',
    'takes the empty key for none',
    class extends BytesBackend {
      override async set(item: Item): Promise<void> {
        if (item.key) await super.set(item)
      }
    },
  ),
  bytes(
    '4.2',
    'sends the keys of a batch as lines',
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        return super.getMany(keys.join('\n').split('\n'))
      }
    },
  ),
  bytes(
    '4.2',
    'yields keys as a terminal would show them',
    class extends BytesBackend {
      override async *keys(prefix?: string): AsyncIterable<string> {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it breaks
        for await (const key of super.keys(prefix)) yield key.replace(/[\0-\x1f]/g, ' ')
      }
    },
  ),
  bytes(
    '4.2',
    'cannot count under keys with a NUL',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        return super.increment(key.replaceAll('\0', ''), delta, expiresAt)
      }
    },
  ),
  confusing('4.3', 'tells long keys apart by their first 2,000 characters and their length', (key) =>
    key.length > 2000 ? `${key.slice(0, 2000)}#${key.length}${key.endsWith('1') ? '1' : ''}` : key,
  ),
]
