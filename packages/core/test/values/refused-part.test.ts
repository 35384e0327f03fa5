import { describe, expect, it } from 'vitest'
import { hasSymbolMember } from '../../src/values/has-symbol-member.ts'
import { memberPath } from '../../src/values/member-path.ts'
import { refusedClass } from '../../src/values/refused-part.ts'

const messageOf = (value: unknown, types?: string): string => refusedClass('JSON', value, ['a'], types).message

describe('the path of a part', () => {
  it('is written as in JavaScript', () => {
    expect(memberPath([])).toBe('value')
    expect(memberPath(['user', 3, 'full name', '(key 2)', 'ключ', '1a'])).toBe(
      'value.user[3]["full name"](key 2).ключ["1a"]',
    )
  })

  it('has its beginning and its end if it is long', () => {
    const path = memberPath(Array.from({ length: 500 }, (_, index) => index))
    expect(path).toBe('value[0][1][2][3][4][5]…[494][495][496][497][498][499]')
  })
})

describe('the error for a class', () => {
  it.each([
    ['URL', new URL('http://user:secret@host/'), 'store its text: `url.href`'],
    ['Headers', new Headers({ a: 'secret' }), 'store its entries: `[...headers]`'],
    ['Error', new Error('secret'), 'store its name and message'],
    ['Failure', new (class Failure extends Error {})('secret'), 'store its name and message'],
    ['Promise', Promise.resolve('secret'), 'await it first'],
    ['Number', Object(1), 'store the primitive: `value.valueOf()`'],
    [
      'Row',
      new (class Row {
        id = 'secret'
      })(),
      'store its data: `{ ...value }`',
    ],
    [
      'Decimal',
      new (class Decimal {
        #digits = 'secret'
        toJSON(): string {
          return this.#digits
        }
      })(),
      'store its data: `value.toJSON()`',
    ],
    ['a class without a name', new (class {})(), 'store its data'],
    ['List', new (class List extends Array {})(), 'store its elements: `[...value]`'],
  ])('has advice that works for an instance of %s, and none of its content', (name, value, advice) => {
    const message = messageOf(value)
    expect(message).toBe(`JSON cannot keep an instance of ${name} at value.a; ${advice}`)
    expect(message).not.toContain('secret')
  })

  it('says how to teach the class, except for values that hold no data', () => {
    expect(messageOf(new URL('http://host'), 'give a type')).toContain('`url.href`, or give a type')
    expect(messageOf(new WeakMap(), 'give a type')).toBe(
      'JSON cannot keep an instance of WeakMap at value.a; leave it out',
    )
    expect(messageOf(() => 1, 'give a type')).toBe('JSON cannot keep a function at value.a; leave it out')
  })

  it('does not need the class to cooperate', () => {
    const hostile = Object.create({
      get constructor(): never {
        throw new Error('no')
      },
    })
    expect(messageOf(hostile)).toContain('a class without a name')
  })
})

it('a symbol names a member only if the member is enumerable', () => {
  const symbol = Symbol('s')
  expect(hasSymbolMember({})).toBe(false)
  expect(hasSymbolMember({ [symbol]: 1 })).toBe(true)
  expect(hasSymbolMember(Object.defineProperty({}, symbol, { value: 1 }))).toBe(false)
})
