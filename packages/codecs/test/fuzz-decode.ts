/** Decodes damaged bytes until its time is over. Run by hostile.test.ts in a process with little memory. Arguments: seed, milliseconds, and the number of the only format, where one is wanted. */
import { setImmediate } from 'node:timers/promises'
import { cacheErrorCode, type Item } from '@cache/core/backend'
import { ItemFormat, type ItemFormatOptions, jsonCodec, v8Codec } from '../src/index.ts'
import { createRandom, type Random } from './random.ts'
import { randomValue } from './random-value.ts'

const [seed = 1, length = 1000, only = -1] = process.argv.slice(2).map(Number)
const limit = 1024 * 1024
const formats = [
  {},
  { codec: jsonCodec },
  { codec: v8Codec },
  { compression: { algorithm: 'zstd', threshold: 0 } },
  { compression: { algorithm: 'gzip', threshold: 0 } },
  { compression: { algorithm: 'brotli', threshold: 0 } },
].map((options) => new ItemFormat({ ...(options as ItemFormatOptions), maxDecodedBytes: limit }))

/** Bytes that MessagePack, V8 and varints give a meaning to. */
const telling = [0, 1, 0x3f, 0x40, 0x42, 0x62, 0x65, 0x69, 0x70, 0x72, 0x73, 0x74, 0x78, 0x7f, 0x80, 0x8f, 0x9f, 0xa0, 0xbf,
  ...Array.from({ length: 32 }, (_, index) => 0xc0 + index), 0xe0, 0xff] // biome-ignore format: a table

function damage(bytes: Uint8Array, random: Random): Buffer {
  let result = Buffer.from(bytes)
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = random.below(result.length + 1)
    const some = Buffer.from(Array.from({ length: 1 + random.below(6) }, () => random.pick(telling)))
    switch (random.below(4)) {
      case 0:
        result = Buffer.concat([result.subarray(0, at), some, result.subarray(at)])
        break
      case 1:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + 1 + random.below(8))])
        break
      default:
        some.copy(result, at)
    }
  }
  return result
}

/** Puts the true length into a frame of the default layout, so that the damage reaches the codec. */
function repair(damaged: Buffer, headerLength: number): Buffer {
  const payload = damaged.subarray(headerLength)
  const size = payload.length
  const length =
    size < 64
      ? [size]
      : size < 8192
        ? [(size & 63) | 128, size >> 6]
        : [(size & 63) | 128, ((size >> 6) & 127) | 128, size >> 13]
  return Buffer.concat([damaged.subarray(0, headerLength - 1), Buffer.from(length), payload])
}

const random = createRandom(seed)
const ends = performance.now() + length
const counts = { value: 0, damaged: 0 }
let slowest = 0
while (performance.now() < ends) {
  // zlib frees a handle that failed in the next turn of the event loop. Every application has turns, and so has this one.
  await setImmediate()
  const picked = random.pick(formats)
  const format = formats[only] ?? picked
  const item: Item = { key: 'k', value: randomValue(random), version: 'version', createdAt: 1, tags: { a: 'b' } }
  let bytes: Buffer
  try {
    bytes = format.encode(item)
  } catch {
    continue
  }
  const headerLength = format.encode({ ...item, value: true }).length - format.codec.encode(true).length
  for (let count = 0; count < 20; count += 1) {
    const inPayload = random.below(4) > 0 && bytes.length > headerLength
    const damaged = inPayload
      ? repair(
          Buffer.concat([bytes.subarray(0, headerLength), damage(bytes.subarray(headerLength), random)]),
          headerLength,
        )
      : damage(bytes, random)
    const started = performance.now()
    try {
      format.decode('k', damaged)
      counts.value += 1
    } catch (error) {
      if (cacheErrorCode(error) !== 'DAMAGED') throw error
      counts.damaged += 1
    }
    const time = performance.now() - started
    if (time > slowest) slowest = time
    if (time > 2000) throw new Error(`${time} ms for ${damaged.toString('hex')}`)
  }
}
console.log(JSON.stringify({ ...counts, slowest, maxRSS: process.resourceUsage().maxRSS }))
