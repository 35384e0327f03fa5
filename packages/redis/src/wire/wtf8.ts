import { isWellFormed } from '@cache/core/backend'

/**
 * The bytes of a string in WTF-8: UTF-8, and three bytes for each lone surrogate (https://simonsapin.github.io/wtf-8/).
 * Distinct strings have distinct bytes.
 */
export function encodeWtf8(text: string): Buffer {
  if (isWellFormed(text)) return Buffer.from(text, 'utf8')
  const parts: Buffer[] = []
  let start = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0xd800 || code > 0xdfff) continue
    if (isHighSurrogate(code) && isLowSurrogate(text.charCodeAt(index + 1))) {
      index += 1
      continue
    }
    parts.push(Buffer.from(text.slice(start, index), 'utf8'))
    parts.push(Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]))
    start = index + 1
  }
  parts.push(Buffer.from(text.slice(start), 'utf8'))
  return Buffer.concat(parts)
}

/** The string whose bytes `encodeWtf8` wrote; `undefined` for bytes that it never writes. */
export function decodeWtf8(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8')
  // A replacement character stands for itself, or for bytes that are not UTF-8.
  if (!text.includes('\ufffd')) return text
  const withSurrogates = decodeSurrogates(bytes)
  return encodeWtf8(withSurrogates).equals(bytes) ? withSurrogates : undefined
}

export function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff
}

function decodeSurrogates(bytes: Buffer): string {
  let text = ''
  let start = 0
  for (let index = 0; index + 2 < bytes.length; index++) {
    const second = bytes[index + 1] ?? 0
    if (bytes[index] !== 0xed || second < 0xa0) continue
    text += bytes.toString('utf8', start, index)
    text += String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | ((bytes[index + 2] ?? 0) & 0x3f))
    index += 2
    start = index + 1
  }
  return text + bytes.toString('utf8', start)
}
