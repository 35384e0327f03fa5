import { describe, expect, it } from 'vitest'
import { type CanonicalTextOptions, canonicalText } from '../../src/values/canonical-text.ts'
import { memberPath } from '../../src/values/member-path.ts'

class Money {
  readonly cents = 5
}

const refusing: CanonicalTextOptions = {
  refuse: (_part, path, isTooDeep) => new Error(isTooDeep ? 'too deep' : memberPath(path)),
}

describe('the canonical text', () => {
  it('of a refused part leads to an error with the path of the part', () => {
    const circle: Record<string, unknown> = {}
    circle.inner = [circle]
    const cases: readonly (readonly [unknown, string])[] = [
      [() => {}, 'value'],
      [{ a: [1, Symbol('s')] }, 'value.a[1]'],
      [new Map([[{ f: () => {} }, 1]]), 'value(key 0).f'],
      [new Map([['f', new Money()]]), 'value(value 0)'],
      [new Set([1, new Money()]), 'value(element 1)'],
      [{ shared: [1], again: { circle } }, 'value.again.circle'],
    ]
    for (const [value, path] of cases) expect(() => canonicalText(value, refusing)).toThrow(new Error(path))
  })

  it('of data that is nested too deeply is refused as that', () => {
    let deep: unknown = 1
    for (let level = 0; level < 100_000; level += 1) deep = [deep]
    expect(() => canonicalText(deep, refusing)).toThrow(new Error('too deep'))
  })

  it('of one object at two places is written twice', () => {
    const shared = { a: 1 }
    expect(canonicalText([shared, shared], refusing)).toBe(canonicalText([{ a: 1 }, { a: 1 }], refusing))
  })

  it('has the text of `textOf` where that returns one', () => {
    const options: CanonicalTextOptions = {
      ...refusing,
      textOf: (part) => (part instanceof Money ? `m${part.cents}` : undefined),
    }
    expect(canonicalText({ price: new Money() }, options)).toBe('{s5:price=m5}')
    expect(canonicalText({ price: 5 }, options)).toBe('{s5:price=n5}')
  })
})
