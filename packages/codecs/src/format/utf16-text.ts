/**
 * The text of the bytes from `start` to `end`, in UTF-16 with the low byte first. Throws a `RangeError` for an odd number of
 * bytes: for a long text at an odd address, Node 24 would write one byte beyond its memory, which can end the process.
 */
export function utf16Text(bytes: Buffer, start: number, end: number): string {
  if ((end - start) % 2 !== 0) throw new RangeError('its text ends within a character')
  return bytes.toString('utf16le', start, end)
}
