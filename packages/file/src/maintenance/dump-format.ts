import type { ItemFormat } from '@cache/codecs'
import { CacheError, type Item } from '@cache/core/backend'
import { isPlainJson } from './plain-json.ts'

/**
 * The format of a dump: a first line that names the format, then one line of JSON for each item. A value that JSON
 * would change is written as the encoded bytes of its item, in base64 (`frame`). Readable values are not encrypted.
 */
const formatName = '@cache/file dump'
const formatVersion = 1

export const headerLine: string = `${JSON.stringify({ format: formatName, version: formatVersion })}\n`

/** Throws `INVALID_ARGUMENT` unless the line is the header of a dump. */
export function checkHeader(line: string): void {
  try {
    const { format, version } = JSON.parse(line) as { format?: unknown; version?: unknown }
    if (format === formatName && version === formatVersion) return
  } catch {
    // The line is no JSON.
  }
  const message = `importFrom: the first line of the file is not the header of a ${formatName}, version ${formatVersion}`
  throw new CacheError('INVALID_ARGUMENT', message, { backend: 'file', operation: 'importFrom' })
}

export function itemLine(format: ItemFormat, item: Item): string {
  return `${JSON.stringify(isPlainJson(item.value) ? item : frameLine(format, item))}\n`
}

function frameLine(format: ItemFormat, item: Item): object {
  const { key, expiresAt } = item
  const frame = format.encode(item).toString('base64')
  return { key, ...(expiresAt === undefined ? {} : { expiresAt }), frame }
}

/** The item of a line. Throws when the line has none, or when a member has another type than `exportTo` writes. */
export function itemOfLine(format: ItemFormat, line: string): Item {
  const parsed: unknown = JSON.parse(line)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new TypeError('it is no object')
  const { key, frame } = parsed as Record<string, unknown>
  if (typeof key !== 'string') throw new TypeError('its key is no string')
  if (frame === undefined) return plainItem(key, parsed as Record<string, unknown>)
  if (typeof frame !== 'string' || frame.length % 4 !== 0 || notBase64.test(frame)) {
    throw new TypeError('its frame is no base64')
  }
  const item = format.decode(key, Buffer.from(frame, 'base64'))
  const { expiresAt } = parsed as Record<string, unknown>
  if (expiresAt !== undefined && expiresAt !== item.expiresAt)
    throw new TypeError('its expiresAt is not that of its frame')
  return item
}

/** A pattern without repetitions: they would need a stack as deep as the text is long. */
const notBase64 = /[^A-Za-z0-9+/=]/
const printableAscii = /^[ -~]{1,255}$/

/** The item with the known members of a line. */
function plainItem(key: string, line: Record<string, unknown>): Item {
  const { value, version, createdAt, staleAt, expiresAt, tags, cost } = line
  if (value === undefined) throw new TypeError('it has no value')
  if (typeof version !== 'string' || !printableAscii.test(version)) {
    throw new TypeError('its version is no printable ASCII of 1 to 255 characters')
  }
  if (cost !== undefined && !isCost(cost)) throw new TypeError('its cost is no number from 0 to 2^53 - 1')
  return {
    key,
    value,
    version,
    createdAt: instant(createdAt, 'createdAt'),
    ...(staleAt === undefined ? {} : { staleAt: instant(staleAt, 'staleAt') }),
    ...(expiresAt === undefined ? {} : { expiresAt: instant(expiresAt, 'expiresAt') }),
    ...(tags === undefined ? {} : { tags: checkTags(tags) }),
    ...(cost === undefined ? {} : { cost }),
  }
}

function isCost(cost: unknown): cost is number {
  return typeof cost === 'number' && cost >= 0 && cost <= Number.MAX_SAFE_INTEGER
}

function instant(given: unknown, name: string): number {
  if (!Number.isSafeInteger(given)) throw new TypeError(`its ${name} is no whole number of milliseconds`)
  return given as number
}

function checkTags(tags: unknown): Readonly<Record<string, string>> {
  const isPlain = typeof tags === 'object' && tags !== null && !Array.isArray(tags)
  if (!isPlain || Object.values(tags).some((version) => typeof version !== 'string')) {
    throw new TypeError('its tags are no object of strings')
  }
  return tags as Readonly<Record<string, string>>
}
