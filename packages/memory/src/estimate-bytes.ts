/** What an entry costs besides its key and value: slot, index, policy. */
const ENTRY = 40
const MOST_NODES = 10_000

/**
 * About how many bytes a value takes in memory: strings by their length, buffers by theirs, objects by walking over their
 * own members. It is an estimate: shared parts count once per value, and from 10,000 members on the rest is extrapolated.
 */
export function estimateBytes(value: unknown): number {
  const pending: unknown[] = [value]
  const seen = new Set<object>()
  let bytes = 0
  let nodes = 0
  while (pending.length > 0) {
    if (++nodes > MOST_NODES) return Math.ceil((bytes * (nodes + pending.length)) / nodes)
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

/** Bytes of the object itself; what it holds goes to `pending`. */
function ownBytes(part: object, pending: unknown[]): number {
  if (ArrayBuffer.isView(part)) return ENTRY + part.byteLength
  if (part instanceof ArrayBuffer) return ENTRY + part.byteLength
  if (Array.isArray(part)) {
    for (const member of part) pending.push(member)
    return 16 + part.length * 8
  }
  if (part instanceof Map) {
    for (const [key, member] of part) pending.push(key, member)
    return 64 + part.size * 40
  }
  if (part instanceof Set) {
    for (const member of part) pending.push(member)
    return 64 + part.size * 32
  }
  const members = Object.values(part)
  for (const member of members) pending.push(member)
  return 24 + members.length * 8
}
