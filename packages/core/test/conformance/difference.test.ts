import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { assertItem } from '../../src/conformance/stage/assert-item.ts'
import { difference } from '../../src/conformance/stage/difference.ts'

class Point {
  readonly x: number = 1
}

describe('the difference between two values', () => {
  it('is absent for strictly equal values of any kind', () => {
    const make = (): unknown => ({
      list: [1, [Number.NaN]],
      map: new Map([['a', new Set([1])]]),
      at: new Date(5),
      none: undefined,
    })
    assert.equal(difference(make(), make(), 'value'), undefined)
  })

  it('names the first place that differs', () => {
    const cases: readonly [unknown, unknown, string][] = [
      [1, '1', 'value is 1 instead of "1"'],
      [0, -0, 'value is 0 instead of -0'],
      [{ a: { b: [1, 2] } }, { a: { b: [1, 3] } }, 'value.a.b.1 is 2 instead of 3'],
      [{}, { a: undefined }, 'value.a is missing; undefined was expected'],
      [{ a: 1 }, {}, 'value.a is 1 although it was not expected'],
      [{ x: 1 }, new Point(), 'value is an object (Object) with 1 members instead of an object (Point) with 1 members'],
      [new Date(Number.NaN), new Date(0), 'value is Date invalid instead of Date 1970-01-01T00:00:00.000Z'],
      [new Map(), new Set(), 'value is Map of 0 instead of Set of 0'],
      [5, 5n, 'value is 5 instead of 5n'],
    ]
    for (const [found, expected, text] of cases) assert.equal(difference(found, expected, 'value'), text)
  })

  it('stays short and takes little memory for a megabyte that came back as an object', () => {
    const bytes = new Uint8Array(1_048_576)
    const before = process.memoryUsage().rss
    const text = difference(JSON.parse(JSON.stringify(bytes)), bytes, 'value')
    assert.equal(text, 'value is an object (Object) with 1048576 members instead of Uint8Array of 1048576 bytes')
    assert(process.memoryUsage().rss - before < 1e9)
  })
})

describe('the check of an item', () => {
  const item = { key: 'k', value: 1, version: 'v', createdAt: 0 }

  it('names the key that was asked for and the key that was found', () => {
    assert.throws(() => assertItem({ ...item, key: 'K' }, item), { message: 'get("k") found the item of "K"' })
  })

  it('fails for a member that is missing, added, or present as undefined', () => {
    const deadline = { ...item, expiresAt: 5 }
    assert.throws(() => assertItem(item, deadline), { message: `get("k"): the item must have a member 'expiresAt'` })
    assert.throws(() => assertItem(deadline, item), {
      message: `get("k"): the item must not have a member 'expiresAt'`,
    })
    assert.throws(() => assertItem({ ...item, staleAt: undefined } as never, item))
    const { value: _, ...withoutValue } = item
    assert.throws(() => assertItem(withoutValue as never, { ...item, value: undefined }))
    assert.throws(() => assertItem({ ...item, flags: 1 } as never, item), {
      message: `get("k"): an item must not have a member 'flags'`,
    })
  })

  it('ignores the order of tags, and no other difference of them', () => {
    const tagged = { ...item, tags: { a: '1', b: '2' } }
    assertItem({ ...item, tags: { b: '2', a: '1' } }, tagged)
    assert.throws(() => assertItem({ ...item, tags: { a: '1', b: '3' } }, tagged), {
      message: 'get("k"): tags.b is "3" instead of "2"',
    })
  })
})
