import type { FieldReader } from './fields.ts'

/**
 * Fields that applications and frameworks read the host, the scheme or the path from. A stored page with a forged host in its links would
 * reach all clients, so a request that has one of these fields has a key of its own.
 */
export const defaultKeyFields: readonly string[] = [
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-scheme',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-server',
  'x-host',
  'x-original-host',
  'x-original-url',
  'x-rewrite-url',
  'forwarded',
]

/** The part of the key besides the URL: the values of the key fields of the request. `''` when it has none of them. */
export function keySuffix(names: readonly string[], fields: FieldReader): string {
  let suffix = ''
  for (const name of names) {
    const value = fields.get(name) ?? undefined
    if (value === undefined) continue
    const part = name === 'forwarded' ? hostAndScheme(value) : value
    if (part !== '') suffix += `\n${name}: ${part}`
  }
  return suffix
}

/** `Forwarded` also names the client, and an entry for each client would be useless (RFC 7239). */
function hostAndScheme(forwarded: string): string {
  return (forwarded.match(/(?:host|proto)\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+)/gi) ?? []).join(';')
}
