import { type CacheErrorCode, cacheErrorCode, type Item } from '@cache/core/backend'
import { expect, test } from 'vitest'
import { frame, ItemFormat } from '../src/index.ts'

const first = Buffer.alloc(32, 1)
const second = Buffer.alloc(32, 2)
const sealing = (...keys: Uint8Array[]): ItemFormat => new ItemFormat({ encryption: { keys } })
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

test('a sealed value is not found in the bytes, and the same value never has the same bytes', () => {
  const format = sealing(first)
  const one = format.encode({ ...item, value: 'a secret' })
  expect(one.includes('a secret')).toBe(false)
  expect(one.equals(format.encode({ ...item, value: 'a secret' }))).toBe(false)
  expect(format.decode('user:1', one).value).toBe('a secret')
})

test('a thousand sealed values have a thousand nonces', () => {
  const format = sealing(first)
  const nonces = new Set<string>()
  for (let count = 0; count < 1000; count++) {
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

test('a sealed item of which any single bit was changed is damaged', () => {
  const format = sealing(first)
  const bytes = format.encode(item)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    expect(
      codeOf(() => format.decode(item.key, changed)),
      `bit ${bit}`,
    ).toBe('DAMAGED')
  }
})

test('with encryption, an item that is not sealed is damaged, placeholders and numbers too', () => {
  for (const value of ['text', 42, undefined, { a: 1 }]) {
    expect(codeOf(() => sealing(first).decode('user:1', new ItemFormat().encode({ ...item, value })))).toBe('DAMAGED')
    const sealed = sealing(first).encode({ ...item, value })
    expect((sealed[frame.flagsOffset] as number) & frame.flags.clearNumber).toBe(0)
    expect(sealing(first).decode('user:1', sealed).value).toEqual(value)
    expect(codeOf(() => new ItemFormat().decode('user:1', sealed))).toBe('DAMAGED')
  }
})

test('an old key opens what it sealed while a new one seals', () => {
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
