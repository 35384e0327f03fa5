const slots = 16_384
const open = 0x7b
const close = 0x7d

/**
 * CRC16 of each byte, in the XMODEM variant
 * (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).
 */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) !== 0 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc & 0xffff
})

/**
 * The slot of a Cluster that holds a key of Redis. A key with a hash tag, the text between its first braces, has the
 * slot of that tag.
 */
export function keySlot(key: string | Buffer): number {
  if (typeof key === 'string') {
    const start = key.indexOf('{')
    const end = start < 0 ? -1 : key.indexOf('}', start + 1)
    return end > start + 1 ? textSlot(key.slice(start + 1, end)) : textSlot(key)
  }
  const start = key.indexOf(open)
  const end = start < 0 ? -1 : key.indexOf(close, start + 1)
  return end > start + 1 ? bytesSlot(key.subarray(start + 1, end)) : bytesSlot(key)
}

function textSlot(text: string): number {
  let crc = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code > 127) return bytesSlot(Buffer.from(text, 'utf8'))
    crc = next(crc, code)
  }
  return crc % slots
}

function bytesSlot(bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) crc = next(crc, byte)
  return crc % slots
}

function next(crc: number, byte: number): number {
  return ((crc << 8) & 0xff00) ^ (table[(crc >> 8) ^ byte] as number)
}
