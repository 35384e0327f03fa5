import { asciiText } from '../format/ascii-text.ts'

/** Names of members read so far, so that each string is created once. Another name may replace one at any time. */
const names: (Name | undefined)[] = new Array(1024).fill(undefined)

interface Name {
  readonly bytes: Uint8Array
  readonly text: string
}

/** The name of a member from `start` to `end`, one to 31 bytes. `undefined` if it is not ASCII, or `__proto__`. */
export function readName(bytes: Buffer, start: number, end: number): string | undefined {
  const length = end - start
  const place = (length * 37 + (bytes[start] as number) * 7 + (bytes[end - 1] as number)) & 1023
  const known = names[place]
  if (known !== undefined && isSame(known.bytes, bytes, start, length)) return known.text
  const text = asciiText(bytes, start, end)
  // Such a member would become the prototype of the object.
  if (text === undefined || text === '__proto__') return undefined
  names[place] = { bytes: Uint8Array.prototype.slice.call(bytes, start, end), text }
  return text
}

function isSame(name: Uint8Array, bytes: Buffer, start: number, length: number): boolean {
  if (name.length !== length) return false
  for (let index = 0; index < length; index += 1) if (name[index] !== bytes[start + index]) return false
  return true
}
