const slots = 16_384
const open = 0x7b
const close = 0x7d

/** CRC16 as XMODEM has it, of one byte each (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/). */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) !== 0 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc & 0xffff
})

/** Which slot of a Cluster a key of Redis lies in: that of its hash tag, the text in its first braces, where it has one. */
export function keySlot(key: string | Buffer): number {
  const bytes = typeof key === 'string' ? Buffer.from(key, 'utf8') : key
  const start = bytes.indexOf(open)
  const end = start < 0 ? -1 : bytes.indexOf(close, start + 1)
  return end > start + 1 ? slotOf(bytes, start + 1, end) : slotOf(bytes, 0, bytes.length)
}

function slotOf(bytes: Buffer, start: number, end: number): number {
  let crc = 0
  for (let index = start; index < end; index++) {
    crc = ((crc << 8) & 0xff00) ^ (table[(crc >> 8) ^ (bytes[index] as number)] as number)
  }
  return crc % slots
}
