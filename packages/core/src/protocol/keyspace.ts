/**
 * The mapping from the keys of an application to the keys of a backend.
 *
 * An item of a cache without a namespace keeps its key, so that a hit builds no string. Every other backend key begins with
 * `@` and a character for its kind; an application key that begins with `@` gets a second one. Namespace segments are escaped:
 * the namespace `a` with the key `b:c` and the namespace `a:b` with the key `c` have different backend keys (RACES R35).
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

/** Escapes the characters that end or split a namespace segment. */
function segment(name: string): string {
  return name.replace(/[%/:]/g, (found) => (found === '%' ? '%25' : found === '/' ? '%2F' : '%3A'))
}

/** `['app', 'users']` to `app/users/`. */
export function namespacePath(segments: readonly string[]): string {
  return segments.map((name) => `${segment(name)}/`).join('')
}

/** The prefix of all items of the namespace and of the namespaces below it; empty for the root, whose items keep their keys. */
export function itemPrefix(path: string): string {
  return path === '' ? '' : `${marker}/${path}`
}

/** The backend key of an item. */
export function itemKey(path: string, key: string): string {
  if (path !== '') return `${marker}/${path}:${key}`
  return key.charCodeAt(0) === markerCode ? marker + key : key
}

/** The application's key of a backend key, or `undefined` for a backend key outside exactly this namespace. */
export function keyOfItem(path: string, backendKey: string): string | undefined {
  if (path !== '') {
    const start = `${marker}/${path}:`
    return backendKey.startsWith(start) ? backendKey.slice(start.length) : undefined
  }
  if (backendKey.charCodeAt(0) !== markerCode) return backendKey
  return backendKey.charCodeAt(1) === markerCode ? backendKey.slice(1) : undefined
}

/** The backend key of a record of the cache itself. */
export function recordKey(kind: RecordKind, path: string, name: string): string {
  return `${marker}${kind}${path}:${name}`
}

/**
 * Whether a backend key belongs to a record of the cache itself (tag, lock, rate limit) rather than to an item. A layered
 * backend reads these records from its last layer, the authority.
 */
export function isRecordKey(backendKey: string): boolean {
  if (backendKey.charCodeAt(0) !== markerCode) return false
  const kind = backendKey[1]
  return kind === '#' || kind === '!' || kind === '~'
}

/** The namespace and key of an item's backend key; `undefined` for a record of the cache itself. */
export function parseItemKey(
  backendKey: string,
): { readonly segments: readonly string[]; readonly key: string } | undefined {
  if (backendKey.charCodeAt(0) !== markerCode) return { segments: [], key: backendKey }
  if (backendKey.charCodeAt(1) === markerCode) return { segments: [], key: backendKey.slice(1) }
  const end = backendKey.indexOf(':')
  if (backendKey[1] !== '/' || end < 0) return undefined
  const segments = backendKey.slice(2, end).split('/').slice(0, -1)
  return { segments: segments.map(unescapeSegment), key: backendKey.slice(end + 1) }
}

function unescapeSegment(name: string): string {
  return name.replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll('%25', '%')
}
