import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { checkOptions, createVersion, type Item, invalidArgument, nonEmptyString } from '@cache/core/backend'
import { type BackendParts, callBackend } from '../backend-parts.ts'
import { readText } from '../disk/read-text.ts'
import type { FileBackend } from '../file-backend.ts'
import { type ImportReport, ItemImport } from './item-import.ts'
import { isPlainJson } from './plain-json.ts'

export interface KeyvImportOptions {
  /** Replaces the namespace of Keyv at the start of the keys. Default: the keys stay unchanged. */
  readonly replaceNamespace?: { readonly from: string; readonly to: string } | undefined
}

/** An entry of `keyv-file`. Its `value` may be the JSON of Keyv's own envelope. */
interface KeyvEntry {
  readonly value?: unknown
  readonly expire?: unknown
}

/** Files in the folder of a keyv-file store that hold no value. */
const filesWithoutValue = ['.lastExpire', '.lock']

/**
 * Stores the items of a store of the npm package keyv-file, and reports those that it cannot read. It replaces items
 * with the same keys and skips expired ones. The store is one file (`{"cache":[[key,{value,expire}],…]}`), or a folder
 * with one file for each key. The name of such a file is the key, with every ASCII character except letters and digits
 * as `_` and two hexadecimal digits.
 */
export function importKeyvFile(
  backend: FileBackend,
  path: string,
  options: KeyvImportOptions = {},
): Promise<ImportReport> {
  return callBackend(backend, 'importKeyvFile', undefined, (parts) => importStore(parts, path, options))
}

function checkKeyvOptions(options: KeyvImportOptions): void {
  checkOptions(options, ['replaceNamespace'], 'importKeyvFile')
  const { replaceNamespace } = options
  if (replaceNamespace === undefined) return
  const { from, to } = (replaceNamespace ?? {}) as { readonly from?: unknown; readonly to?: unknown }
  if (typeof from !== 'string' || typeof to !== 'string') {
    throw invalidArgument(
      'replaceNamespace',
      replaceNamespace,
      'an object with the texts from and to',
      'importKeyvFile',
    )
  }
}

async function importStore(
  { directory, items }: BackendParts,
  path: string,
  options: KeyvImportOptions,
): Promise<ImportReport> {
  nonEmptyString(path, 'path', 'importKeyvFile')
  checkKeyvOptions(options)
  const itemImport = new ItemImport(items)
  const itemOf = (key: unknown, entry: KeyvEntry): Item | undefined => itemOfEntry(key, entry, options, directory.now())
  if ((await stat(path)).isDirectory()) await importFolder(path, itemImport, itemOf)
  else await importFile(path, itemImport, itemOf)
  return itemImport.finish()
}

type ItemOf = (key: unknown, entry: KeyvEntry) => Item | undefined

async function importFile(path: string, itemImport: ItemImport, itemOf: ItemOf): Promise<void> {
  let entries: readonly unknown[]
  try {
    entries = entriesOf(parse(await readText(path, { followLinks: true })))
  } catch (error) {
    itemImport.fail(path, error)
    return
  }
  for (const [position, pair] of entries.entries()) {
    const [key, entry] = Array.isArray(pair) ? (pair as readonly unknown[]) : []
    const at = typeof key === 'string' ? key : `entry ${position}`
    await itemImport.add(at, () => itemOf(key, entry as KeyvEntry))
  }
}

async function importFolder(path: string, itemImport: ItemImport, itemOf: ItemOf): Promise<void> {
  for (const file of await readdir(path, { withFileTypes: true })) {
    if (filesWithoutValue.includes(file.name) || !file.isFile()) continue
    try {
      const content = await readText(join(path, file.name))
      await itemImport.add(file.name, () => itemOf(keyOfFileName(file.name), parse(content) as KeyvEntry))
    } catch (error) {
      itemImport.fail(file.name, error)
    }
  }
}

/** The item of an entry; `undefined` when it has expired. Throws for an unreadable entry. */
function itemOfEntry(
  key: unknown,
  entry: KeyvEntry,
  { replaceNamespace }: KeyvImportOptions,
  now: number,
): Item | undefined {
  if (typeof key !== 'string') throw new TypeError('its key is not text')
  if (typeof entry !== 'object' || entry === null || !('value' in entry)) throw new TypeError('it has no value')
  const { value, expires } = envelope(entry)
  if (value === undefined) throw new TypeError('it has no value')
  if (expires !== undefined && expires <= now) return undefined
  const item = { key: renamed(key, replaceNamespace), value, version: createVersion(), createdAt: now }
  return expires === undefined ? item : { ...item, expiresAt: Math.ceil(expires) }
}

function renamed(key: string, names: KeyvImportOptions['replaceNamespace']): string {
  if (names === undefined || !key.startsWith(names.from)) return key
  return names.to + key.slice(names.from.length)
}

/**
 * The value and the expiry time. Keyv stores `{"value":…,"expires":…}`, as text or as an object. Without Keyv, the
 * entry has the value.
 */
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
  // Early versions of keyv-file wrote an object.
  if (cache !== null && typeof cache === 'object') return Object.entries(cache)
  throw new TypeError('it is no keyv-file store: it has no member `cache`')
}

/**
 * Parses the JSON of @keyv/serialize: bytes are `:base64:…`, and other text that starts with `:` has one more `:` in
 * front.
 */
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
