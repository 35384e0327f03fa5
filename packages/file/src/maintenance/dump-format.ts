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

/** The item of a line. Throws when the line has none. */
export function itemOfLine(format: ItemFormat, line: string): Item {
  const parsed: unknown = JSON.parse(line)
  const { key, frame, value, version, createdAt } = parsed as Partial<Item> & { frame?: unknown }
  if (typeof key !== 'string') throw new TypeError('it has no key')
  if (typeof frame === 'string') return format.decode(key, Buffer.from(frame, 'base64'))
  if (value === undefined || typeof version !== 'string' || typeof createdAt !== 'number') {
    throw new TypeError('it has no value, version or createdAt')
  }
  return parsed as Item
}
