import { createHash } from 'node:crypto'

/**
 * A key of the cache in the form of the `key` column.
 *
 * The column is `text collate "C"`, readable in SQL. Characters that `text` cannot hold are escaped: NUL, lone
 * surrogates, and the escape character itself. Each escape has a character of its own after the backslash, so the
 * encoded keys of two keys always differ:
 *
 *     \b        a backslash
 *     \0        NUL
 *     \ud83d    a lone surrogate, its code in four digits; or a byte order mark, which some clients (PGlite's) remove
 *     \/        the end of the backend's prefix; no key contains it
 *     \#        before the hash of a long key; no key contains it
 *
 * An index entry may not exceed 2,704 bytes, so the column holds the head of a long key and its SHA-256. `long_key`
 * holds the whole key, and every read compares it: a collision of hashes is a miss and never the value of another key.
 */
export interface BackendKey {
  /** The `key` column. */
  readonly id: string
  /** The whole encoded key. */
  readonly whole: string
  /** The `long_key` column: the whole key where `id` holds only its head. */
  readonly long: string | null
}

/** Characters of the longest key that `id` holds whole. Three bytes each at most (four for two), well below 2,704. */
const longestKey = 800
/** Characters of a long key at the beginning of its `id`. The index alone finds prefixes up to this length. */
const headLength = 700

const special = /[\0\\\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g
const suspicious = /[\0\\\ud800-\udfff\ufeff]/
const escapes = /\\(b|0|u[0-9a-f]{4})/g
const endOfPrefix = '\\/'
const beforeHash = '\\#'

function escapeKey(key: string): string {
  if (!suspicious.test(key)) return key
  return key.replace(special, (found) => {
    if (found === '\\') return '\\b'
    return found === '\0' ? '\\0' : `\\u${found.charCodeAt(0).toString(16)}`
  })
}

function unescapeKey(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(escapes, (_, code: string) => {
    if (code === 'b') return '\\'
    return code === '0' ? '\0' : String.fromCharCode(Number.parseInt(code.slice(1), 16))
  })
}

/** The first characters of an encoded key; no escape and no surrogate pair is cut. */
function head(whole: string): string {
  let end = headLength
  // The longest escape has six characters, and each begins with a backslash.
  const start = whole.lastIndexOf('\\', end - 1)
  if (start >= 0) {
    const length = whole[start + 1] === 'u' ? 6 : 2
    if (start + length > end) end = start
  }
  if (isHigh(whole.charCodeAt(end - 1))) end -= 1
  return whole.slice(0, end)
}

function isHigh(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff
}

/** The keys of one backend: encodes them under its prefix and finds the ranges that a prefix covers. */
export class BackendKeys {
  readonly #prefix: string

  /** An empty prefix adds nothing to the keys. */
  constructor(prefix: string) {
    this.#prefix = prefix === '' ? '' : escapeKey(prefix) + endOfPrefix
  }

  encode(key: string): BackendKey {
    const whole = this.whole(key)
    if (whole.length <= longestKey) return { id: whole, whole, long: null }
    return { id: head(whole) + beforeHash + createHash('sha256').update(whole).digest('hex'), whole, long: whole }
  }

  /** The encoded key. */
  whole(key: string): string {
    return this.#prefix === '' ? escapeKey(key) : this.#prefix + escapeKey(key)
  }

  decode(whole: string): string {
    return unescapeKey(this.#prefix === '' ? whole : whole.slice(this.#prefix.length))
  }

  /**
   * The ranges of encoded keys that begin with `prefix`, compared by the characters of JavaScript (UTF-16 code units).
   */
  ranges(prefix: string): readonly KeyRange[] {
    const start = this.whole(prefix)
    const ranges = [keyRange(start, successor(start))]
    const last = prefix.charCodeAt(prefix.length - 1)
    if (isHigh(last)) {
      // The prefix ends within a surrogate pair, so it also covers every character that begins with this high
      // surrogate.
      const before = this.whole(prefix.slice(0, -1))
      const first = 0x10000 + (last - 0xd800) * 0x400
      ranges.push(
        keyRange(before + String.fromCodePoint(first), successor(before + String.fromCodePoint(first + 0x3ff))),
      )
    }
    return ranges
  }
}

/** Encoded keys from `from` (inclusive) to `to` (exclusive). */
export interface KeyRange {
  readonly from: string
  /** `null`: to the last key. */
  readonly to: string | null
  /** The same range in the `key` column, which holds only the head of a long key. */
  readonly idFrom: string
  readonly idTo: string | null
}

function keyRange(from: string, to: string | null): KeyRange {
  // A head ends early where the next escape would be cut.
  const shortestHead = headLength - 6
  if (from.length <= shortestHead) return { from, to, idFrom: from, idTo: to }
  const cut = from.slice(0, isHigh(from.charCodeAt(shortestHead - 1)) ? shortestHead - 1 : shortestHead)
  return { from, to, idFrom: cut, idTo: successor(cut) }
}

/** The least text, by code points, that is greater than every text with this beginning; `null` when there is none. */
function successor(text: string): string | null {
  const points = [...text]
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const code = last.codePointAt(0) as number
    if (code < 0x10ffff) return points.join('') + String.fromCodePoint(code === 0xd7ff ? 0xe000 : code + 1)
  }
  return null
}
