/** The callers check the length, so no code is `undefined`. */
const text = String.fromCharCode as (...codes: readonly (number | undefined)[]) => string

/**
 * The ASCII text from `at` to `end`, or `undefined` if a byte is not ASCII. A text of up to sixteen characters is built in
 * groups of eight, a third of the cost of a runtime call. Most names, versions and values are not longer.
 */
export function asciiText(bytes: Buffer, at: number, end: number): string | undefined {
  let all = 0
  for (let index = at; index < end; index += 1) all |= bytes[index] as number
  if (all > 127) return undefined
  const length = end - at
  if (length > 16) return bytes.toString('latin1', at, end)
  return length > 8 ? upToEight(bytes, at, 8) + upToEight(bytes, at + 8, length - 8) : upToEight(bytes, at, length)
}

function upToEight(b: Buffer, i: number, length: number): string {
  switch (length) {
    case 0:
      return ''
    case 1:
      return text(b[i])
    case 2:
      return text(b[i], b[i + 1])
    case 3:
      return text(b[i], b[i + 1], b[i + 2])
    case 4:
      return text(b[i], b[i + 1], b[i + 2], b[i + 3])
    case 5:
      return text(b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4])
    case 6:
      return text(b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5])
    case 7:
      return text(b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6])
    default:
      return text(b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6], b[i + 7])
  }
}
