import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createVersion, type Item } from '@cache/core/backend'
import type { Store } from '../directory/directory-handle.ts'
import type { Items } from '../items.ts'
import { Importing, type ImportReport } from './dump.ts'
import { isPlainJson } from './plain-json.ts'

export interface KeyvImportOptions {
  /** What the keys of the imported items begin with, in place of the namespace that Keyv put there. Default: the keys as they are. */
  readonly replaceNamespace?: { readonly from: string; readonly to: string }
}

/** What `keyv-file` keeps of a key; in `value` there may be Keyv's own envelope, as JSON. */
interface KeyvEntry {
  readonly value?: unknown
  readonly expire?: unknown
}

/** Files of a separated store that hold no value. */
const ownFiles = ['.lastExpire', '.lock']

/**
 * Reads a store of the npm package keyv-file: a file with everything (`{"cache":[[key,{value,expire}],…]}`), or a folder
 * with a file per key, whose name is the key with every ASCII character but letters and digits as `_` and two hexadecimal digits.
 */
export class KeyvImport {
  readonly #store: Store
  readonly #items: Items

  constructor(store: Store, items: Items) {
    this.#store = store
    this.#items = items
  }

  async run(path: string, options: KeyvImportOptions): Promise<ImportReport> {
    const importing = new Importing(this.#items)
    if ((await stat(path)).isDirectory()) await this.#folder(path, options, importing)
    else await this.#file(path, options, importing)
    return importing.end()
  }

  async #file(path: string, options: KeyvImportOptions, importing: Importing): Promise<void> {
    let entries: readonly unknown[]
    try {
      entries = entriesOf(parse(await readFile(path, 'utf8')))
    } catch (error) {
      importing.fail(path, error)
      return
    }
    for (const [place, pair] of entries.entries()) {
      const [key, entry] = Array.isArray(pair) ? (pair as readonly unknown[]) : []
      const at = typeof key === 'string' ? key : `entry ${place}`
      await importing.take(at, () => this.#item(key, entry as KeyvEntry, options))
    }
  }

  async #folder(path: string, options: KeyvImportOptions, importing: Importing): Promise<void> {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (ownFiles.includes(entry.name) || !entry.isFile()) continue
      try {
        const content = await readFile(join(path, entry.name), 'utf8')
        await importing.take(entry.name, () =>
          this.#item(keyOfFileName(entry.name), parse(content) as KeyvEntry, options),
        )
      } catch (error) {
        importing.fail(entry.name, error)
      }
    }
  }

  /** `undefined` for what has expired. */
  #item(key: unknown, entry: KeyvEntry, { replaceNamespace }: KeyvImportOptions): Item | undefined {
    if (typeof key !== 'string') throw new TypeError('its key is not text')
    if (typeof entry !== 'object' || entry === null || !('value' in entry)) throw new TypeError('it has no value')
    const { value, expires } = envelope(entry)
    if (value === undefined) throw new TypeError('it has no value')
    const now = this.#store.now()
    if (expires !== undefined && expires <= now) return undefined
    const item = { key: renamed(key, replaceNamespace), value, version: createVersion(), createdAt: now }
    return expires === undefined ? item : { ...item, expiresAt: Math.ceil(expires) }
  }
}

function renamed(key: string, names: KeyvImportOptions['replaceNamespace']): string {
  if (names === undefined || !key.startsWith(names.from)) return key
  return names.to + key.slice(names.from.length)
}

/** Keyv itself stores `{"value":…,"expires":…}`, as text or as it is; used without Keyv, the value is the value. */
function envelope(entry: KeyvEntry): { value: unknown; expires: number | undefined } {
  const outer = instant(entry.expire)
  const inner = typeof entry.value === 'string' ? parsedEnvelope(entry.value) : entry.value
  if (!isEnvelope(inner)) return { value: entry.value, expires: outer }
  return { value: inner.value, expires: instant(inner.expires) ?? outer }
}

function parsedEnvelope(text: string): unknown {
  if (!text.startsWith('{')) return undefined
  try {
    return parse(text)
  } catch {
    return undefined
  }
}

function isEnvelope(value: unknown): value is { value: unknown; expires?: unknown } {
  if (value === null || typeof value !== 'object' || !Object.hasOwn(value, 'value')) return false
  return Object.keys(value).every((name) => name === 'value' || name === 'expires')
}

function instant(given: unknown): number | undefined {
  return typeof given === 'number' && Number.isFinite(given) ? given : undefined
}

function entriesOf(store: unknown): readonly unknown[] {
  const cache = (store as { cache?: unknown } | null)?.cache
  if (Array.isArray(cache)) return cache as readonly unknown[]
  // Early versions wrote an object.
  if (cache !== null && typeof cache === 'object') return Object.entries(cache)
  throw new TypeError('it is no keyv-file store: it has no member cache')
}

/** JSON as @keyv/serialize writes it: bytes as `:base64:…`, and a `:` before any other text that begins with one. */
function parse(text: string): unknown {
  const parsed: unknown = JSON.parse(text, (_, value: unknown) => {
    if (typeof value !== 'string' || !value.startsWith(':')) return value
    return value.startsWith(':base64:') ? Buffer.from(value.slice(8), 'base64') : value.slice(1)
  })
  return parsed
}

function keyOfFileName(name: string): string {
  const key = decodeURIComponent(name.replace(/_/g, '%'))
  if (!isPlainJson(key)) throw new TypeError('its name is no key')
  return key
}
