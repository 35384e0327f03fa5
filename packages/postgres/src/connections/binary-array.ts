/**
 * One-dimensional PostgreSQL arrays in the binary format of the wire protocol (`array_send` in PostgreSQL's
 * arrayfuncs.c). `pg` sends a Buffer as a binary parameter, so neither side builds or parses an array literal: bytes
 * need no hexadecimal, texts no quoting.
 */
const oids = { text: 25, bytea: 17, int8: 20, bool: 16 } as const
const headerBytes = 20

function begin(bytes: number, oid: number, count: number, hasNull: boolean): Buffer {
  const out = Buffer.allocUnsafe(headerBytes + bytes)
  out.writeInt32BE(1, 0)
  out.writeInt32BE(hasNull ? 1 : 0, 4)
  out.writeInt32BE(oid, 8)
  out.writeInt32BE(count, 12)
  out.writeInt32BE(1, 16)
  return out
}

/** A `text[]`. */
export function textArray(texts: readonly (string | null)[]): Buffer {
  let bytes = 0
  let hasNull = false
  for (const text of texts) {
    if (text === null) hasNull = true
    bytes += 4 + (text === null ? 0 : Buffer.byteLength(text, 'utf8'))
  }
  const out = begin(bytes, oids.text, texts.length, hasNull)
  let position = headerBytes
  for (const text of texts) {
    const length = text === null ? -1 : out.write(text, position + 4, 'utf8')
    out.writeInt32BE(length, position)
    position += 4 + Math.max(length, 0)
  }
  return out
}

/** A `bytea[]`. */
export function byteaArray(values: readonly Uint8Array[]): Buffer {
  let bytes = 0
  for (const value of values) bytes += 4 + value.length
  const out = begin(bytes, oids.bytea, values.length, false)
  let position = headerBytes
  for (const value of values) {
    out.writeInt32BE(value.length, position)
    out.set(value, position + 4)
    position += 4 + value.length
  }
  return out
}

/** An `int8[]` of safe integers. */
export function int8Array(numbers: readonly (number | null)[]): Buffer {
  let bytes = 0
  let hasNull = false
  for (const number of numbers) {
    if (number === null) hasNull = true
    bytes += number === null ? 4 : 12
  }
  const out = begin(bytes, oids.int8, numbers.length, hasNull)
  let position = headerBytes
  for (const number of numbers) {
    out.writeInt32BE(number === null ? -1 : 8, position)
    position += 4
    if (number === null) continue
    // Two's complement in two halves; a BigInt for each number would cost more than the rest.
    out.writeInt32BE(Math.floor(number / 0x1_0000_0000), position)
    out.writeUInt32BE(((number % 0x1_0000_0000) + 0x1_0000_0000) % 0x1_0000_0000, position + 4)
    position += 8
  }
  return out
}

/** A `bool[]`. */
export function boolArray(flags: readonly boolean[]): Buffer {
  const out = begin(flags.length * 5, oids.bool, flags.length, false)
  let position = headerBytes
  for (const flag of flags) {
    out.writeInt32BE(1, position)
    out[position + 4] = flag ? 1 : 0
    position += 5
  }
  return out
}
