/**
 * Whether a reply has the form of the replies to one command. A server, a proxy or a shifted reply may have another form:
 * a reply is not used before this check.
 */
export type ReplyShape = (reply: unknown) => boolean

export function isAny(_reply: unknown): boolean {
  return true
}

export function isBytes(reply: unknown): reply is Buffer {
  // Code in another realm, such as a `node:vm` context, has a `Uint8Array` of its own.
  return ArrayBuffer.isView(reply)
}

export function isBytesOrNil(reply: unknown): reply is Buffer | null {
  return reply === null || isBytes(reply)
}

export function isOk(reply: unknown): boolean {
  return isBytes(reply) && reply.length === 2 && reply[0] === 0x4f && reply[1] === 0x4b
}

/** A whole number of 0 or more. */
export function isCount(reply: unknown): reply is number {
  return Number.isSafeInteger(reply) && (reply as number) >= 0
}

/** A list of `length` elements of one form. */
export function isListOf(reply: unknown, length: number, shape: ReplyShape): boolean {
  if (!Array.isArray(reply) || reply.length !== length) return false
  for (let index = 0; index < length; index += 1) if (!shape(reply[index])) return false
  return true
}

/** A reply to SCAN: the next cursor in decimals, and a list of keys. */
export function isPage(reply: unknown): boolean {
  if (!Array.isArray(reply) || reply.length !== 2) return false
  const [cursor, keys] = reply as [unknown, unknown]
  return isBytes(cursor) && /^\d{1,20}$/.test(cursor.toString('latin1')) && Array.isArray(keys) && keys.every(isBytes)
}

/** The form of a reply in words, without its content. */
export function formOf(reply: unknown): string {
  if (reply === null) return 'nil'
  if (typeof reply === 'number') return 'a number'
  if (isBytes(reply)) return `a text of ${reply.length} bytes`
  return Array.isArray(reply) ? `a list of ${reply.length}` : 'of another type'
}
