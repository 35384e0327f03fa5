/** Bytes of an entry besides its key and value: slot, index and policy. */
const entryOverhead = 40
const maxVisitedMembers = 10_000

/**
 * An estimate of the bytes that a value takes in memory: the lengths of strings and buffers, and the own members of objects.
 * A part that appears several times in the value counts once. After 10,000 members the rest is extrapolated.
 */
export function estimateBytes(value: unknown): number {
  const pending: unknown[] = [value]
  const seen = new Set<object>()
  let bytes = 0
  let nodes = 0
  while (pending.length > 0) {
    nodes += 1
    if (nodes > maxVisitedMembers) return Math.ceil((bytes * (nodes + pending.length)) / nodes)
    const part = pending.pop()
    if (typeof part === 'string') bytes += 16 + part.length
    else if (typeof part === 'bigint') bytes += 24
    else if (typeof part !== 'object' || part === null) bytes += 8
    else if (!seen.has(part)) {
      seen.add(part)
      bytes += ownBytes(part, pending)
    }
  }
  return bytes
}

/** The bytes of the object itself. Its members are added to `pending`. */
function ownBytes(part: object, pending: unknown[]): number {
  if (ArrayBuffer.isView(part)) return entryOverhead + part.byteLength
  if (Array.isArray(part)) {
    for (const member of part) pending.push(member)
    return 16 + part.length * 8
  }
  if (Object.getPrototypeOf(part) === Object.prototype) return memberBytes(part, pending)
  // The tag rather than the class: another realm, such as that of a Jest test, has its own classes.
  switch (Object.prototype.toString.call(part)) {
    case '[object ArrayBuffer]':
    case '[object SharedArrayBuffer]':
      return entryOverhead + ((part as ArrayBuffer).byteLength || 0)
    case '[object Map]':
      return elementBytes(part, true, pending)
    case '[object Set]':
      return elementBytes(part, false, pending)
    default:
      return memberBytes(part, pending)
  }
}

function elementBytes(part: object, isMap: boolean, pending: unknown[]): number {
  if (typeof (part as Partial<Iterable<unknown>>)[Symbol.iterator] !== 'function') return memberBytes(part, pending)
  let count = 0
  for (const element of part as Iterable<unknown>) {
    count += 1
    if (isMap && Array.isArray(element)) pending.push(element[0], element[1])
    else pending.push(element)
  }
  return 64 + count * (isMap ? 40 : 32)
}

function memberBytes(part: object, pending: unknown[]): number {
  const members = Object.values(part)
  for (const member of members) pending.push(member)
  return 24 + members.length * 8
}
