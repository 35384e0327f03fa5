import { deepStrictEqual } from 'node:assert/strict'
import { expect, test } from 'vitest'
import { refuseUnkept } from '../src/codecs/refuse-unkept.ts'
import { jsonCodec, type KeepingCodec, msgpackCodec, rawCodec, type ValueKind, v8Codec } from '../src/index.ts'
import { createRandom } from './random.ts'
import { randomValue } from './random-value.ts'
import { json, samples, unkept } from './samples.ts'

const codecs: readonly KeepingCodec[] = [msgpackCodec, jsonCodec, v8Codec]
const kinds = Object.keys(samples) as ValueKind[]

/** The value by itself and at every place where it may stand. */
function places(value: unknown): unknown[] {
  return [value, [value], { member: value }, [[{ deep: { deeper: [value] } }, 1], 2], [value, value]]
}

function roundTrip(codec: KeepingCodec, value: unknown): unknown {
  return codec.decode(Uint8Array.from(codec.encode(value)))
}

for (const codec of codecs) {
  for (const kind of kinds) {
    const keeps = codec.keeps.includes(kind)
    test(`${codec.name} ${keeps ? 'keeps' : 'refuses'} '${kind}' at every place in a value`, () => {
      for (const sample of samples[kind]) {
        for (const value of places(sample)) {
          if (keeps) deepStrictEqual(roundTrip(codec, value), value)
          else expect(() => codec.encode(value)).toThrow(TypeError)
        }
      }
    })
  }

  test.for(unkept)(`${codec.name} refuses %s at every place in a value`, ([, value]) => {
    for (const place of places(value)) expect(() => codec.encode(place)).toThrow(TypeError)
  })

  test(`${codec.name} keeps the values of JSON`, () => {
    for (const value of json) deepStrictEqual(roundTrip(codec, value), value)
  })

  test(`${codec.name} decodes values that share no memory with the bytes`, () => {
    if (!codec.keeps.includes('bytes')) return expect(codec.name).toBe('json')
    for (const image of [Uint8Array.of(1, 2, 3), Buffer.of(1, 2, 3)]) {
      const stored = Uint8Array.from(codec.encode({ image }))
      const value = codec.decode(stored) as { image: Uint8Array }
      stored.fill(0)
      expect([...value.image]).toEqual([1, 2, 3])
    }
  })

  test(`${codec.name} does not change an earlier result when it encodes another value`, () => {
    const first = codec.encode({ a: 'first' })
    for (let count = 0; count < 5000; count += 1) codec.encode({ b: `something else ${count}` })
    deepStrictEqual(codec.decode(first), { a: 'first' })
  })

  test(`${codec.name} refuses lists, objects and maps of 20,000 levels with an error that names the cause`, () => {
    for (const wrap of [
      (inner: unknown) => [inner],
      (inner: unknown) => ({ inner }),
      (inner: unknown) => new Map([[1, inner]]),
    ]) {
      let deep: unknown = 1
      for (let level = 0; level < 20_000; level += 1) deep = wrap(deep)
      expect(() => codec.encode(deep)).toThrow(/nested|keeps bytes|kind 'map'/)
      expect(() => codec.encode(deep)).not.toThrow(RangeError)
    }
  })

  test(`${codec.name} refuses an infinitely nested value, and keeps 400 levels`, () => {
    let nested: unknown = 1
    for (let level = 0; level < 400; level += 1) nested = level % 2 === 0 ? [nested] : { nested }
    deepStrictEqual(roundTrip(codec, nested), nested)
    for (let level = 0; level < 100_000; level += 1) nested = [nested]
    expect(() => codec.encode(nested)).toThrow(TypeError)
  })

  test.for([1, 2, 3, 4])(`${codec.name} keeps or refuses any value, seed %i`, (seed) => {
    const random = createRandom(seed)
    const kept = new Set(codec.keeps)
    for (let count = 0; count < 1500; count += 1) {
      const value = randomValue(random)
      let refused = false
      try {
        refuseUnkept(value, kept, codec.name)
      } catch {
        refused = true
      }
      if (refused) expect(() => codec.encode(value)).toThrow(TypeError)
      else deepStrictEqual(roundTrip(codec, value), value, `seed ${seed}, value ${count}`)
    }
  })
}

// By itself, because the deepStrictEqual of Node 22 takes two invalid dates for different ones.
test('an invalid date is kept by msgpack and v8', () => {
  for (const codec of [msgpackCodec, v8Codec]) {
    const { at } = roundTrip(codec, { at: new Date(Number.NaN) }) as { at: Date }
    expect(at).toBeInstanceOf(Date)
    expect(at.getTime()).toBe(Number.NaN)
  }
})

test('raw keeps bytes, distinguishes a Buffer from a Uint8Array, and refuses all other values', () => {
  for (const value of [...samples.bytes, ...samples.buffer]) deepStrictEqual(roundTrip(rawCodec, value), value)
  for (const value of [null, 1, 'a', [], {}, new Uint16Array(1), new ArrayBuffer(1), [Uint8Array.of(1)]]) {
    expect(() => rawCodec.encode(value)).toThrow(TypeError)
  }
})

test('an object with the member __keys__ does not damage values that msgpack encodes later', () => {
  const rows = Array.from({ length: 20 }, () => ({ __keys__: 1 }))
  deepStrictEqual(roundTrip(msgpackCodec, rows), rows)
  deepStrictEqual(roundTrip(msgpackCodec, [new Map(), ...rows]), [new Map(), ...rows])
  const empty = Array.from({ length: 20 }, () => ({}))
  deepStrictEqual(roundTrip(msgpackCodec, empty), empty)
})

test('v8 keeps shared objects shared, and the other codecs do not', () => {
  const shared = { a: 1 }
  const [first, second] = roundTrip(v8Codec, [shared, shared]) as object[]
  expect(first).toBe(second)
  for (const codec of [msgpackCodec, jsonCodec]) {
    const [one, other] = roundTrip(codec, [shared, shared]) as object[]
    expect(one).not.toBe(other)
    expect(one).toEqual(other)
  }
})

test('v8 refuses an array of mostly holes, because a few bytes would cause a long loop', () => {
  const sparse: unknown[] = []
  sparse[2 ** 31] = 1
  expect(() => v8Codec.encode(sparse)).toThrow('mostly holes')
})
