import { type FieldList, type FieldReader, fieldOf } from './fields.ts'
import { parseHttpDate } from './http-date.ts'

/** Fields of a request that only the cache may answer, and that a shared request to the origin must not have. */
export const conditionalFields: readonly string[] = [
  'if-none-match',
  'if-modified-since',
  'if-match',
  'if-unmodified-since',
  'if-range',
]

/** An entity tag, weak or strong, in a list. Commas may be inside. */
const entityTag = /(?:W\/)?"[^"]*"/g

function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag
}

/** Whether two entity tags are equal by the weak comparison of RFC 9110 section 8.8.3.2. */
export function sameTag(a: string, b: string): boolean {
  return opaque(a.trim()) === opaque(b.trim())
}

/** Whether the client's copy is still right, so that 304 answers its conditional request (RFC 9111 section 4.3.2). */
export function clientHasCopy(request: FieldReader, fields: FieldList, now: number): boolean {
  const noneMatch = request.get('if-none-match') ?? undefined
  if (noneMatch !== undefined) {
    if (noneMatch.trim() === '*') return true
    const tag = fieldOf(fields, 'etag')
    if (tag === undefined) return false
    return (noneMatch.match(entityTag) ?? []).some((given) => sameTag(given, tag))
  }
  const since = parseHttpDate(request.get('if-modified-since'), now)
  if (since === undefined) return false
  const changed = fieldOf(fields, 'last-modified') ?? fieldOf(fields, 'date')
  const changedAt = parseHttpDate(changed, now)
  return changedAt !== undefined && changedAt <= since
}

/** The fields that ask the origin whether a stored response is still right (RFC 9111 section 4.3.1). */
export function validationFields(fields: FieldList): [string, string][] {
  const asking: [string, string][] = []
  const tag = fieldOf(fields, 'etag')
  const changed = fieldOf(fields, 'last-modified')
  if (tag !== undefined) asking.push(['if-none-match', tag])
  if (changed !== undefined) asking.push(['if-modified-since', changed])
  return asking
}

/** Fields that depend on the stored bytes, which a 304 does not change (RFC 9111 section 3.2). */
const ofTheBody: ReadonlySet<string> = new Set(['content-encoding', 'content-length', 'content-md5', 'content-range'])

/** The fields of a stored response after a 304 (RFC 9111 section 4.3.4). */
export function updatedFields(stored: FieldList, given: FieldList): FieldList {
  const news = given.filter(([name]) => !ofTheBody.has(name))
  const names = new Set(news.map(([name]) => name))
  // The age of the stored response ends with its validation.
  return [...stored.filter(([name]) => !names.has(name) && name !== 'age'), ...news]
}

/** Whether a 304 is about this stored response (RFC 9111 section 4.3.4). */
export function confirms(stored: FieldList, given: FieldList): boolean {
  const tag = fieldOf(given, 'etag')
  if (tag !== undefined) {
    const own = fieldOf(stored, 'etag')
    return own !== undefined && sameTag(own, tag)
  }
  const changed = fieldOf(given, 'last-modified')
  const own = fieldOf(stored, 'last-modified')
  return changed === undefined || own === undefined || changed === own
}

/** The fields of a 304 for the client: without those that describe a body (RFC 9110 section 15.4.5). */
export function notModifiedFields(fields: FieldList): FieldList {
  return fields.filter(([name]) => !ofTheBody.has(name) && name !== 'content-language' && name !== 'content-type')
}
