/**
 * How the keys of an application become the keys of a backend.
 *
 * An item of a cache without a namespace keeps its key as it is, so that a hit builds no string. Everything else begins with
 * `@` and a character for its kind, and a key of the application that itself begins with `@` gets a second one. Namespace
 * segments are escaped, so that the namespace `a` with the key `b:c` and `a:b` with `c` never meet (RACES R35).
 *
 *     key                      the item of a cache without a namespace
 *     @@home                   the item '@home'
 *     @/app/users/:42          the item '42' in the namespace app, users
 *     @#app/users/:premium     the record of the tag 'premium' there
 *     @!app/users/:nightly     the lock 'nightly'
 *     @~app/users/:60000:login the rate limit 'login' of a minute
 */
export type RecordKind = '#' | '!' | '~'

const marker = '@'
const markerCode = 64

/** Escapes what would end or split a namespace segment. */
function segment(name: string): string {
  return name.replace(/[%/:]/g, (found) => (found === '%' ? '%25' : found === '/' ? '%2F' : '%3A'))
}

/** `['app', 'users']` to `app/users/`. */
export function namespacePath(segments: readonly string[]): string {
  return segments.map((name) => `${segment(name)}/`).join('')
}

/** What every item of the namespace and of the namespaces below it starts with; empty for the root, whose items keep their keys. */
export function itemPrefix(path: string): string {
  return path === '' ? '' : `${marker}/${path}`
}

/** The backend's key of an item. */
export function itemKey(path: string, key: string): string {
  if (path !== '') return `${marker}/${path}:${key}`
  return key.charCodeAt(0) === markerCode ? marker + key : key
}

/** The application's key of a backend's key, or `undefined` where it is no item of exactly this namespace. */
export function keyOfItem(path: string, stored: string): string | undefined {
  if (path !== '') {
    const start = `${marker}/${path}:`
    return stored.startsWith(start) ? stored.slice(start.length) : undefined
  }
  if (stored.charCodeAt(0) !== markerCode) return stored
  return stored.charCodeAt(1) === markerCode ? stored.slice(1) : undefined
}

/** The backend's key of a record that the cache keeps for itself. */
export function recordKey(kind: RecordKind, path: string, name: string): string {
  return `${marker}${kind}${path}:${name}`
}

/**
 * Whether a backend's key is a record of the cache itself (tag, lock, rate limit) rather than an item. A backend made of
 * layers answers these from its last layer, the authority.
 */
export function isRecordKey(stored: string): boolean {
  if (stored.charCodeAt(0) !== markerCode) return false
  const kind = stored[1]
  return kind === '#' || kind === '!' || kind === '~'
}

/** The namespace and key of a backend's item key; `undefined` for a record of the cache itself. */
export function parseItemKey(
  stored: string,
): { readonly segments: readonly string[]; readonly key: string } | undefined {
  if (stored.charCodeAt(0) !== markerCode) return { segments: [], key: stored }
  if (stored.charCodeAt(1) === markerCode) return { segments: [], key: stored.slice(1) }
  const end = stored.indexOf(':')
  if (stored[1] !== '/' || end < 0) return undefined
  const segments = stored.slice(2, end).split('/').slice(0, -1)
  return { segments: segments.map(unescapeSegment), key: stored.slice(end + 1) }
}

function unescapeSegment(name: string): string {
  return name.replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll('%25', '%')
}
