import { isUtf8 } from 'node:buffer'

/** The text of the bytes from `start` to `end`. Throws a `RangeError` for bytes that are not UTF-8, which the runtime would replace. */
export function utf8Text(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end)
  // Only a text with replacement characters can come from invalid bytes. Most texts have none.
  if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end))) throw new RangeError('its text is not UTF-8')
  return text
}
