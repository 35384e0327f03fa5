/**
 * Decodes items whose texts announce UTF-16 with an odd number of bytes, and prints the codes of the errors. Run by
 * hostile.test.ts in a process of its own: Node's UTF-16 decoder writes past its memory for such a text, which ends the process.
 */
import { cacheErrorCode } from '@cache/core/backend'
import { frame, ItemFormat } from '../src/index.ts'

const sealing = { encryption: { keys: [Buffer.alloc(32, 1)] } }

/** A number as the header writes it. */
function varint(value: number): number[] {
  let rest = Math.abs(value)
  const bytes = [(value < 0 ? 0x40 : 0) | (rest & 0x3f)]
  for (rest = Math.floor(rest / 64); rest > 0; rest = Math.floor(rest / 128)) {
    bytes[bytes.length - 1] = (bytes.at(-1) as number) | 0x80
    bytes.push(rest & 0x7f)
  }
  return bytes
}

/** An item with one tag, whose name takes `bytes` bytes of UTF-16. */
function itemWithTag(bytes: number, flags: number): Buffer {
  const name = Buffer.alloc(bytes, 0x61)
  const parts = [frame.formatVersion, frame.kinds.wholeNumber, flags | frame.flags.tags, 1, 0x76, 0, 0, 0, 0, 0, 1]
  const front = Buffer.from([...parts, ...varint(1), ...varint(-bytes)])
  return Buffer.concat([front, name, Buffer.from([...varint(1), 0x74, 0x37])])
}

/** The same bytes, `offset` bytes after an aligned address. */
function at(offset: number, bytes: Buffer): Buffer {
  const room = Buffer.allocUnsafeSlow(bytes.length + 8)
  bytes.copy(room, offset)
  return room.subarray(offset, offset + bytes.length)
}

const codes: Record<string, number> = {}
for (const format of [new ItemFormat(), new ItemFormat(sealing)]) {
  for (const flags of [frame.flags.clearNumber, frame.flags.sealed]) {
    for (const length of [1, 3, 519, 521, 523, 1025, 4097, 65_537]) {
      const bytes = itemWithTag(length, flags)
      for (let offset = 0; offset < 8; offset += 1) {
        for (let times = 0; times < 20; times += 1) {
          let code = 'a value'
          try {
            format.decode('k', at(offset, bytes))
          } catch (error) {
            code = cacheErrorCode(error) ?? String(error)
          }
          codes[code] = (codes[code] ?? 0) + 1
        }
      }
    }
  }
}
console.log(JSON.stringify(codes))
