/**
 * Keys as SQLite text. SQLite's functions end a text at NUL, and UTF-8 has no lone surrogates. Both are therefore
 * written as U+0001 and four hexadecimal digits, and so is U+0001. Distinct keys stay distinct; ordinary keys stay
 * unchanged (RACES R29).
 */
const marker = '\u0001'
// In Unicode mode, a surrogate in a class matches only a lone surrogate.
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern looks for control characters
const special = /[\u0000\u0001\ud800-\udfff]/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern looks for control characters
const everySpecial = /[\u0000\u0001\ud800-\udfff]/gu
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern looks for control characters
const escaped = /\u0001([0-9a-f]{4})/g

function escapeUnit(unit: string): string {
  return marker + unit.charCodeAt(0).toString(16).padStart(4, '0')
}

/** The text under which a key is stored. */
export function keyText(key: string): string {
  return special.test(key) ? key.replace(everySpecial, escapeUnit) : key
}

/** The key that a stored text stands for. */
export function keyOfText(text: string): string {
  return text.includes(marker)
    ? text.replace(escaped, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
    : text
}

/**
 * The stored texts from `from` up to but not including `to`, or to the end without `to`, in SQLite's BINARY collation.
 */
export interface TextRange {
  readonly from: string
  readonly to: string | undefined
}

/**
 * The ranges of exactly the keys that start with `prefix`, compared in UTF-16 units. A prefix that ends in the first
 * half of a surrogate pair has two ranges: keys in which that half is alone, and keys in which it is part of a pair.
 */
export function prefixRanges(prefix: string): readonly TextRange[] {
  const last = prefix.charCodeAt(prefix.length - 1)
  const alone = startingWith(keyText(prefix))
  if (!(last >= 0xd800 && last <= 0xdbff)) return [alone]
  const head = keyText(prefix.slice(0, -1))
  const lowest = head + String.fromCharCode(last, 0xdc00)
  const highest = head + String.fromCharCode(last, 0xdfff)
  return [alone, { from: lowest, to: successor(highest) }]
}

function startingWith(text: string): TextRange {
  return { from: text, to: successor(text) }
}

/**
 * The smallest text after all texts that start with `text`, in the order of code points, which is the order of UTF-8.
 */
function successor(text: string): string | undefined {
  const points = Array.from(text)
  while (points.length > 0) {
    const point = (points.pop() as string).codePointAt(0) as number
    if (point === 0x10ffff) continue
    return points.join('') + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1)
  }
  return undefined
}
