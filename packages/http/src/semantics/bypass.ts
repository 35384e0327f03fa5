import type { FieldReader } from './fields.ts'

/** Methods that change nothing on the origin (RFC 9110 section 9.2.1). */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export function isSafe(method: string): boolean {
  return safeMethods.has(method)
}

/**
 * Fields that let a request reach something other than the entity of its URL. Range requests and preconditions are for the origin. A
 * framework may take the method from an override field, and a stored error for `DELETE` would deny the page to all.
 */
const bypassFields = [
  'range',
  'if-match',
  'if-unmodified-since',
  'upgrade',
  'x-http-method-override',
  'x-method-override',
  'x-http-method',
]

/** Why the cache forwards a request without a look at its store, in the words of RFC 9211 section 2.2. */
export function bypassReason(method: string, fields: FieldReader, hasBody: boolean): 'method' | 'bypass' | undefined {
  if (method !== 'GET' && method !== 'HEAD') return 'method'
  if (hasBody) return 'bypass'
  for (const name of bypassFields) if ((fields.get(name) ?? undefined) !== undefined) return 'bypass'
  return undefined
}
