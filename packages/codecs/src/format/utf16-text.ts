/**
 * The text of the bytes from `start` to `end`, in UTF-16 with the low byte first. Throws a `RangeError` for an odd number of
 * bytes: Node 24 then writes one byte past its memory when the text is long and begins at an odd address, which can end the process.
 */
export function utf16Text(bytes: Buffer, start: number, end: number): string {
  if ((end - start) % 2 !== 0) throw new RangeError('its text ends within a character')
  return bytes.toString('utf16le', start, end)
}
