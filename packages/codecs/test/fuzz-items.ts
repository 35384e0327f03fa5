/**
 * Decodes valid items, and items that were changed, cut or given other lengths, at every kind of address. Run by
 * fuzz-items.test.ts in a process of its own, because a fault may end the process. Argument: the seed. Prints how often each
 * outcome occurred. Throws where an outcome is neither the exact item nor `DAMAGED`.
 */
import { deepStrictEqual } from 'node:assert'
import { setImmediate } from 'node:timers/promises'
import { cacheErrorCode, type Item } from '@cache/core/backend'
import { ItemFormat, type ItemFormatOptions, jsonCodec, msgpackCodec, rawCodec, v8Codec } from '../src/index.ts'
import { createRandom } from './random.ts'
import { randomValue } from './random-value.ts'

const [seed = 1] = process.argv.slice(2).map(Number)
const random = createRandom(seed)
const itemsPerFormat = 24
const changesPerItem = 60

const keys = [Buffer.alloc(32, 1)]
const protections: readonly ItemFormatOptions[] = [
  {},
  { compression: { algorithm: 'zstd', threshold: 0 } },
  { compression: { algorithm: 'gzip', threshold: 0 } },
  { compression: { algorithm: 'brotli', threshold: 0 } },
  { encryption: { keys } },
  { encryption: { keys }, compression: { algorithm: 'zstd', threshold: 0 } },
]
const formats = [msgpackCodec, jsonCodec, v8Codec, rawCodec].flatMap((codec) =>
  protections.map((protection) => ({ ...protection, codec, maxDecodedBytes: 1024 * 1024 })),
)

/** Lengths that readers like to trust, as bytes of the header, of MessagePack and of V8. */
const lengths = [
  [0x7f],
  [0x80, 0x00],
  [0xff, 0x7f],
  [0xc9, 0x08],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xdb, 0x7f, 0xff, 0xff, 0xff],
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xc6, 0x80, 0x00, 0x00, 0x00],
  [0x00, 0x00, 0x02, 0x09],
]

/** The bytes at an address that is `offset` bytes after an aligned one. */
function at(offset: number, bytes: Uint8Array): Buffer {
  const room = Buffer.allocUnsafeSlow(bytes.length + 8)
  room.set(bytes, offset)
  return room.subarray(offset, offset + bytes.length)
}

/** 600 bytes of UTF-16, as the header writes the length of the longest text of `randomItem`. */
const longText = Buffer.of(0xd8, 0x09)

/** The same bytes, with a UTF-16 text that is longer or shorter by a few bytes, if there is one. */
function resizeText(bytes: Buffer): Buffer {
  const place = bytes.indexOf(longText)
  if (place < 0) return change(bytes)
  const more = random.below(16) - 8
  const length = Buffer.of(0xd8 + more, 0x09)
  const end = place + 2 + 600
  const filler = Buffer.alloc(Math.max(0, more), 0x61)
  return Buffer.concat([
    bytes.subarray(0, place),
    length,
    bytes.subarray(place + 2, end + Math.min(0, more)),
    filler,
    bytes.subarray(end),
  ])
}

function change(bytes: Buffer): Buffer {
  const place = random.below(bytes.length)
  const rest = bytes.subarray(place + 1)
  switch (random.below(6)) {
    case 0:
      return bytes.subarray(0, place)
    case 1:
      return Buffer.concat([bytes.subarray(0, place), Buffer.from(random.pick(lengths)), rest])
    case 2:
      return Buffer.concat([bytes, Buffer.alloc(1 + random.below(700), random.below(256))])
    case 3: {
      const filler = Buffer.alloc(500 + random.below(100), random.below(256))
      return Buffer.concat([bytes.subarray(0, place), filler, rest])
    }
    default: {
      const changed = Buffer.from(bytes)
      for (let times = 1 + random.below(3); times > 0; times--) {
        const where = random.below(changed.length)
        changed[where] = (changed[where] as number) ^ (1 << random.below(8))
      }
      return changed
    }
  }
}

function randomItem(format: ItemFormat): Item {
  const texts = ['', 'a', 'premium', 'ключ', '\udc00', '\ud800'.repeat(300), 'x'.repeat(600)]
  const tags = Object.fromEntries(
    Array.from({ length: random.below(3) }, () => [random.pick(texts), random.pick(texts)]),
  )
  return {
    key: random.pick(['k', '', 'a long key', '\ud800']),
    value:
      format.codec === rawCodec
        ? random.pick([Buffer.from('bytes'), new Uint8Array(300), 'text', '\ud800'.repeat(300), 7, undefined])
        : randomValue(random),
    version: random.pick(['v', 'abcdefghij1']),
    createdAt: random.pick([0, -1, 1_757_000_000_000]),
    ...(random.below(2) === 0 && { expiresAt: 1_757_000_600_000 }),
    ...(random.below(2) === 0 && { tags }),
    ...(random.below(3) === 0 && { cost: random.pick([1, 0.5, -1]) }),
  }
}

/** What a reader may rely on, whatever the bytes were. */
function checkShape(item: Item): void {
  const { version, createdAt, staleAt = 0, expiresAt = 0, tags = {}, cost = 0 } = item
  const isWhole = [createdAt, staleAt, expiresAt].every((instant) => Number.isSafeInteger(instant))
  const hasTexts = Object.values(tags).every((tag) => typeof tag === 'string')
  if (version.length === 0 || !isWhole || !hasTexts || typeof cost !== 'number') throw new Error('a malformed item')
}

const counts = { exact: 0, other: 0, damaged: 0 }
for (const options of formats) {
  // No lifetime of the samples has ended by this clock.
  const format = new ItemFormat(options, '', { now: () => Number.NEGATIVE_INFINITY })
  const name = `${options.codec.name} ${Object.keys(options).join(' ')}`
  for (let done = 0; done < itemsPerFormat; ) {
    // zlib frees a handle that failed in the next turn of the event loop.
    await setImmediate()
    const item = randomItem(format)
    let bytes: Buffer
    try {
      bytes = format.encode(item)
    } catch {
      continue
    }
    done += 1
    for (let offset = 0; offset < 4; offset += 1) {
      deepStrictEqual(format.decode(item.key, at(offset, bytes)), item)
      counts.exact += 1
    }
    for (let times = 0; times < changesPerItem; times += 1) {
      const changed = at(random.below(8), random.below(4) === 0 ? resizeText(bytes) : change(bytes))
      const says = `seed ${seed}, ${name}: ${changed.toString('hex')}`
      try {
        checkShape(format.decode(item.key, changed))
        // A seal admits one item; without it, other bytes may be another item.
        if (format.sealed && !changed.equals(bytes)) throw new Error('a changed item passed its seal')
        counts.other += 1
      } catch (error) {
        if (cacheErrorCode(error) !== 'DAMAGED') throw new Error(says, { cause: error })
        counts.damaged += 1
      }
    }
  }
}
console.log(JSON.stringify(counts))
