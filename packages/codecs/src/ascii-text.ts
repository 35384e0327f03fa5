/** Bytes that are not there have been ruled out by the length. */
const text = String.fromCharCode as (...codes: readonly (number | undefined)[]) => string

/**
 * The characters of ASCII from `at` to `end`, or `undefined` when a byte is no ASCII. Up to sixteen are made one by one, which
 * costs a third of a call to the runtime; names, versions and most values are not longer.
 */
export function asciiText(bytes: Buffer, at: number, end: number): string | undefined {
  let all = 0
  for (let index = at; index < end; index++) all |= bytes[index] as number
  if (all > 127) return undefined
  return end - at > 16 ? bytes.toString('latin1', at, end) : shortText(bytes, at, end - at)
}

function shortText(b: Buffer, i: number, length: number): string {
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
    case 8:
      return text(b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6], b[i + 7])
    case 9:
      return text(b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6], b[i + 7], b[i + 8])
    case 10:
      return text(b[i], b[i + 1], b[i + 2], b[i + 3], b[i + 4], b[i + 5], b[i + 6], b[i + 7], b[i + 8], b[i + 9])
    case 11:
      return text(
        b[i],
        b[i + 1],
        b[i + 2],
        b[i + 3],
        b[i + 4],
        b[i + 5],
        b[i + 6],
        b[i + 7],
        b[i + 8],
        b[i + 9],
        b[i + 10],
      )
    case 12:
      return text(
        b[i],
        b[i + 1],
        b[i + 2],
        b[i + 3],
        b[i + 4],
        b[i + 5],
        b[i + 6],
        b[i + 7],
        b[i + 8],
        b[i + 9],
        b[i + 10],
        b[i + 11],
      )
    case 13:
      return text(
        b[i],
        b[i + 1],
        b[i + 2],
        b[i + 3],
        b[i + 4],
        b[i + 5],
        b[i + 6],
        b[i + 7],
        b[i + 8],
        b[i + 9],
        b[i + 10],
        b[i + 11],
        b[i + 12],
      )
    case 14:
      return text(
        b[i],
        b[i + 1],
        b[i + 2],
        b[i + 3],
        b[i + 4],
        b[i + 5],
        b[i + 6],
        b[i + 7],
        b[i + 8],
        b[i + 9],
        b[i + 10],
        b[i + 11],
        b[i + 12],
        b[i + 13],
      )
    case 15:
      return text(
        b[i],
        b[i + 1],
        b[i + 2],
        b[i + 3],
        b[i + 4],
        b[i + 5],
        b[i + 6],
        b[i + 7],
        b[i + 8],
        b[i + 9],
        b[i + 10],
        b[i + 11],
        b[i + 12],
        b[i + 13],
        b[i + 14],
      )
    case 16:
      return text(
        b[i],
        b[i + 1],
        b[i + 2],
        b[i + 3],
        b[i + 4],
        b[i + 5],
        b[i + 6],
        b[i + 7],
        b[i + 8],
        b[i + 9],
        b[i + 10],
        b[i + 11],
        b[i + 12],
        b[i + 13],
        b[i + 14],
        b[i + 15],
      )
    default:
      return b.toString('latin1', i, i + length)
  }
}
