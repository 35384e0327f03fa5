import type { Parameter } from './session.ts'

// Messages of the extended query protocol (PostgreSQL's documentation, "Message Formats").
const bindCode = 0x42
/** Execute the unnamed portal without a limit of rows, then Sync. */
const executeAndSync = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0x53, 0, 0, 0, 4])

/** A parameter of at least this many bytes is sent from its own buffer instead of being copied into the message. */
const longParameter = 16 * 1024

/**
 * Bind, Execute and Sync: one piece, or several to be sent together where a parameter is long. Buffers travel as binary
 * values, all others as text. The columns of the rows come in binary form with `isBinary`, else as text.
 */
export function bindMessages(name: string, values: readonly Parameter[], isBinary: boolean): readonly Buffer[] {
  const count = values.length
  const parts: (string | Buffer | null)[] = new Array(count)
  const lengths: number[] = new Array(count)
  let length = 4 + 1 + Buffer.byteLength(name) + 1 + 2 + 2 * count + 2 + 4 * count + (isBinary ? 4 : 2)
  let separateBytes = 0
  for (let index = 0; index < count; index += 1) {
    const value = values[index]
    const part = value === null || value === undefined || Buffer.isBuffer(value) ? (value ?? null) : String(value)
    parts[index] = part
    const bytes = part === null ? 0 : typeof part === 'string' ? Buffer.byteLength(part) : part.length
    lengths[index] = bytes
    length += bytes
    if (isLong(part)) separateBytes += bytes
  }
  const out = Buffer.allocUnsafe(1 + length - separateBytes + executeAndSync.length)
  const pieces: Buffer[] = []
  let from = 0
  out[0] = bindCode
  out.writeInt32BE(length, 1)
  out[5] = 0
  let at = 6 + out.write(name, 6)
  out[at] = 0
  at += 1
  at = out.writeInt16BE(count, at)
  for (const part of parts) at = out.writeInt16BE(Buffer.isBuffer(part) ? 1 : 0, at)
  at = out.writeInt16BE(count, at)
  for (let index = 0; index < count; index += 1) {
    const part = parts[index] as string | Buffer | null
    at = out.writeInt32BE(part === null ? -1 : (lengths[index] as number), at)
    if (part === null) continue
    if (typeof part === 'string') at += out.write(part, at)
    else if (isLong(part)) {
      pieces.push(out.subarray(from, at), part)
      from = at
    } else {
      out.set(part, at)
      at += part.length
    }
  }
  // One format code applies to all columns; no code means text.
  at = out.writeInt16BE(isBinary ? 1 : 0, at)
  if (isBinary) at = out.writeInt16BE(1, at)
  out.set(executeAndSync, at)
  pieces.push(from === 0 ? out : out.subarray(from))
  return pieces
}

function isLong(part: string | Buffer | null): boolean {
  return Buffer.isBuffer(part) && part.length >= longParameter
}
