import { runInNewContext } from 'node:vm'
import { type CacheErrorCode, type Clock, cacheErrorCode, type Duration, type Item } from '@cache/core/backend'
import { expect, test } from 'vitest'
import { frame, ItemFormat, type ItemFormatOptions } from '../src/index.ts'

const first = Buffer.alloc(32, 1)
const second = Buffer.alloc(32, 2)
/** A clock within the lifetime of `item`. */
const clock: Clock = { now: () => 1500 }
const sealing = (...keys: Uint8Array[]): ItemFormat => new ItemFormat({ encryption: { keys } }, '', clock)
const item: Item = {
  key: 'user:1',
  value: { role: 'admin' },
  version: 'v1',
  createdAt: 1000,
  expiresAt: 2000,
  tags: { users: 't1' },
}

function codeOf(run: () => unknown): CacheErrorCode | undefined {
  try {
    run()
  } catch (error) {
    return cacheErrorCode(error)
  }
  return undefined
}

function reasonOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as Error).message
  }
  return 'a value'
}

test('a sealed value does not appear in the bytes, and equal values have different bytes', () => {
  const format = sealing(first)
  const one = format.encode({ ...item, value: 'a secret' })
  expect(one.includes('a secret')).toBe(false)
  expect(one.equals(format.encode({ ...item, value: 'a secret' }))).toBe(false)
  expect(format.decode('user:1', one).value).toBe('a secret')
})

test('a thousand sealed values have a thousand nonces', () => {
  const format = sealing(first)
  const nonces = new Set<string>()
  for (let count = 0; count < 1000; count += 1) {
    nonces.add(
      format
        .encode({ ...item, value: '' })
        .subarray(-28, -16)
        .toString('hex'),
    )
  }
  expect(nonces.size).toBe(1000)
})

test('a sealed value moved to another key is damaged', () => {
  const bytes = sealing(first).encode(item)
  for (const key of ['user:2', 'user:1 ', '', 'user:\ud800']) {
    expect(codeOf(() => sealing(first).decode(key, bytes))).toBe('DAMAGED')
  }
  const lone = sealing(first).encode({ ...item, key: '\ud800' })
  expect(codeOf(() => sealing(first).decode('\ud801', lone))).toBe('DAMAGED')
  expect(sealing(first).decode('\ud800', lone).value).toEqual(item.value)
})

test('a sealed item with any single changed bit is damaged', () => {
  const format = sealing(first)
  const bytes = format.encode(item)
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    expect(
      codeOf(() => format.decode(item.key, changed)),
      `bit ${bit}`,
    ).toBe('DAMAGED')
  }
})

test('an item that is not sealed is damaged with encryption, also a placeholder or a number', () => {
  for (const value of ['text', 42, undefined, { a: 1 }]) {
    expect(codeOf(() => sealing(first).decode('user:1', new ItemFormat().encode({ ...item, value })))).toBe('DAMAGED')
    const sealed = sealing(first).encode({ ...item, value })
    expect((sealed[frame.flagsOffset] as number) & frame.flags.clearNumber).toBe(0)
    expect(sealing(first).decode('user:1', sealed).value).toEqual(value)
    expect(codeOf(() => new ItemFormat().decode('user:1', sealed))).toBe('DAMAGED')
  }
})

test('an old key opens the items that it sealed while a new key seals', () => {
  const old = sealing(first).encode(item)
  const rotated = sealing(second, first)
  expect(rotated.decode('user:1', old)).toEqual(item)
  const renewed = rotated.encode(item)
  expect(sealing(second).decode('user:1', renewed)).toEqual(item)
  expect(codeOf(() => sealing(first).decode('user:1', renewed))).toBe('DAMAGED')
  expect(codeOf(() => sealing(second).decode('user:1', old))).toBe('DAMAGED')
})

test('a key that the caller overwrites later still opens', () => {
  const given = Buffer.alloc(32, 3)
  const format = sealing(given)
  const bytes = format.encode(item)
  given.fill(0)
  expect(format.decode('user:1', bytes)).toEqual(item)
  expect(format.sealed).toBe(true)
  expect(new ItemFormat().sealed).toBe(false)
})

test('a sealed item has exactly the layout of FORMAT.md', () => {
  const bytes = sealing(first).encode({ ...item, value: 'text', tags: {} })
  const headerLength = bytes.readUInt32BE(bytes.length - 36)
  // Version, kind, flags, version of the item, `createdAt`, 1000 ms of lifetime (40 + 15 * 64), no tags; no length.
  expect(bytes.subarray(0, headerLength).toString('hex')).toBe('023119027631' + '0000000003e8' + 'a80f' + '00')
  expect(bytes.length).toBe(headerLength + 4 + 36)
})

test('a sealed item is interpreted only after its seal is verified', () => {
  const format = sealing(first)
  const bytes = format.encode(item)
  const headerLength = bytes.readUInt32BE(bytes.length - 36)
  // Each of these headers would be refused by itself, with a message of its own.
  const headers = [
    Buffer.of(frame.formatVersion, 1, frame.flags.sealed),
    Buffer.of(frame.formatVersion, 1, frame.flags.sealed | 0x80, 1, 0x76, 0, 0, 0, 0, 0, 0),
    Buffer.of(frame.formatVersion, 1, frame.flags.sealed, 2, 0xff, 0xff, 0, 0, 0, 0, 0, 0),
    Buffer.of(frame.formatVersion, 1, frame.flags.sealed | frame.flags.tags, 1, 0x76, 0, 0, 0, 0, 0, 0, 0x3f),
  ]
  for (const header of headers) {
    const seal = Buffer.from(bytes.subarray(headerLength))
    seal.writeUInt32BE(header.length, seal.length - 36)
    const reason = reasonOf(() => format.decode(item.key, Buffer.concat([header, seal])))
    expect(reason).toContain('unable to authenticate data')
  }
})

test('a sealed item with another length of its header is damaged', () => {
  const format = sealing(first)
  const bytes = format.encode(item)
  const headerLength = bytes.readUInt32BE(bytes.length - 36)
  for (const length of [0, 3, headerLength - 1, headerLength + 1, bytes.length - 36, bytes.length - 35, 2 ** 32 - 1]) {
    const changed = Buffer.from(bytes)
    changed.writeUInt32BE(length, bytes.length - 36)
    expect(
      codeOf(() => format.decode(item.key, changed)),
      `length ${length}`,
    ).toBe('DAMAGED')
  }
})

test('a sealed item truncated at any place is damaged', () => {
  const format = sealing(first)
  const bytes = format.encode(item)
  for (let length = 0; length < bytes.length; length += 1) {
    expect(codeOf(() => format.decode(item.key, bytes.subarray(0, length)))).toBe('DAMAGED')
    expect(codeOf(() => format.decode(item.key, bytes.subarray(length + 1)))).toBe('DAMAGED')
  }
})

test('an item that was sealed for one place is damaged in another', () => {
  const inContext = (context?: string): ItemFormat => new ItemFormat({ encryption: { keys: [first] } }, context, clock)
  const contexts = [undefined, 'a', 'b', 'ab', 'au', '\ud800', '\ud801']
  for (const written of contexts) {
    const bytes = inContext(written).encode(item)
    for (const read of contexts) {
      const code = codeOf(() => inContext(read).decode(item.key, bytes))
      expect(code, `${written} read in ${read}`).toBe(read === written ? undefined : 'DAMAGED')
    }
  }
  // The end of a context never counts as the beginning of a key.
  expect(codeOf(() => inContext('u').decode('ser:1', inContext('').encode(item)))).toBe('DAMAGED')
  expect(inContext('').decode(item.key, sealing(first).encode(item))).toEqual(item)
  expect(codeOf(() => new ItemFormat({}, 7 as unknown as string))).toBe('INVALID_ARGUMENT')
})

test('an item that was sealed in one context of the options is damaged in another', () => {
  const inContext = ([place, context]: readonly [string, string?]): ItemFormat =>
    new ItemFormat({ encryption: { keys: [first], ...(context === undefined ? {} : { context }) } }, place, clock)
  const origins: readonly (readonly [string, string?])[] = [
    [''],
    ['', 'a'],
    ['a'],
    ['a', 'b'],
    ['ab'],
    ['', 'ab'],
    ['', '\ud800'],
    ['', '\ud801'],
  ] as const
  for (const written of origins) {
    const bytes = inContext(written).encode(item)
    for (const read of origins) {
      const code = codeOf(() => inContext(read).decode(item.key, bytes))
      expect(code, `${written} read in ${read}`).toBe(read === written ? undefined : 'DAMAGED')
    }
  }
  expect(inContext(['', '']).decode(item.key, sealing(first).encode(item))).toEqual(item)
})

test('a sealed item is damaged after its sealed lifetime and the clock tolerance', () => {
  let now = 1500
  const read = (clockTolerance?: Duration): CacheErrorCode | undefined => {
    const options = { keys: [first], ...(clockTolerance === undefined ? {} : { clockTolerance }) }
    return codeOf(() => new ItemFormat({ encryption: options }, '', { now: () => now }).decode(item.key, bytes))
  }
  const bytes = sealing(first).encode(item)
  now = 2000 + 60_000 - 1
  expect(read()).toBe(undefined)
  now += 1
  expect(read()).toBe('DAMAGED')
  expect(read('2m')).toBe(undefined)
  expect(read(Infinity)).toBe(undefined)
  now = 1999
  expect(read(0)).toBe(undefined)
  now = 2000
  expect(read(0)).toBe('DAMAGED')
  now = Number.NaN
  expect(read()).toBe('DAMAGED')
})

test('a sealed item without a lifetime is served at any time, and an item that is not sealed has no clock tolerance', () => {
  const { expiresAt: _, ...endless } = item
  const late: Clock = { now: () => 8e15 }
  const sealed = new ItemFormat({ encryption: { keys: [first] } }, '', late)
  expect(sealed.decode(item.key, sealing(first).encode(endless))).toEqual(endless)
  expect(new ItemFormat({}, '', late).decode(item.key, new ItemFormat().encode(item))).toEqual(item)
})

test('no text in place of options or keys appears in a message', () => {
  const secret = 'c2VjcmV0IGtleSBvZiAzMiBieXRlcyBpbiBiYXNlNjQ='
  const wrong = [secret, { keys: secret }, { keys: [secret] }, { keys: [first, secret] }, [secret]]
  for (const encryption of wrong) {
    const run = (): ItemFormat => new ItemFormat({ encryption } as unknown as ItemFormatOptions)
    expect(codeOf(run)).toBe('INVALID_ARGUMENT')
    expect(reasonOf(run)).not.toContain(secret.slice(0, 8))
  }
})

test('wrong contexts and tolerances are refused', () => {
  const wrong = [{ context: 7 }, { clockTolerance: -1 }, { clockTolerance: 'soon' }, { clockTolerance: Number.NaN }]
  for (const part of wrong) {
    const options = { encryption: { keys: [first], ...part } } as unknown as ItemFormatOptions
    expect(codeOf(() => new ItemFormat(options))).toBe('INVALID_ARGUMENT')
  }
  expect(codeOf(() => new ItemFormat({}, '', {} as unknown as Clock))).toBe('INVALID_ARGUMENT')
})

test('a key of another realm is accepted, as in a context of node:vm', () => {
  const key: Uint8Array = runInNewContext('new Uint8Array(32).fill(7)')
  expect(key).not.toBeInstanceOf(Uint8Array)
  const format = new ItemFormat({ encryption: { keys: [key] } })
  const item = { key: 'k', value: 1, version: 'v', createdAt: 0 }
  expect(format.decode('k', format.encode(item)).value).toBe(1)
})
