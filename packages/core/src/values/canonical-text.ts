import { type Brand, brandOf } from './brand-of.ts'
import { hasSymbolMember } from './has-symbol-member.ts'
import type { PathStep } from './member-path.ts'

/** How `canonicalText` treats the parts that it does not write itself. */
export interface CanonicalTextOptions {
  /**
   * The error for a part without a canonical text: a function, a symbol, an instance of a class, a cycle, an array with holes. `path` leads
   * to it. With `isTooDeep` the whole value is the part, and the stack is too short for its levels.
   */
  refuse(part: unknown, path: readonly PathStep[], isTooDeep: boolean): Error
  /**
   * The text of an object that would be refused; `undefined` for none. It must not look like the text of another value: it has a letter of its
   * own in front, and its end is plain. Not called for plain data.
   */
  readonly textOf?: ((part: object, brand: Brand | undefined) => string | undefined) | undefined
}

/**
 * A string that is the same for equal data and different for all other data: every value is written with its type and, where its end is
 * not plain, its length. Members of objects, sets and maps are sorted. Throws the error of `refuse` for values that cannot be compared.
 */
export function canonicalText(value: unknown, options: CanonicalTextOptions): string {
  try {
    return textOfValue(value, { textOf: options.textOf, around: [] })
  } catch (error) {
    // The stack ends somewhere above ten thousand levels.
    if (error instanceof RangeError) throw options.refuse(value, [], true)
    if (!(error instanceof Refused)) throw error
    throw options.refuse(error.part, pathTo(value, error.part) ?? [], false)
  }
}

/** Ends the walk. The path is searched afterwards, so that values without such a part do not pay for it. */
class Refused {
  readonly part: unknown

  constructor(part: unknown) {
    this.part = part
  }
}

/** The kinds of objects that the walk writes itself, besides plain objects and arrays. */
const written: ReadonlySet<Brand> = new Set<Brand>(['null prototype', 'Date', 'Set', 'Map'])

/** The state of one walk. Functions take it as an argument: private methods of a class made the walk slower by a fifth. */
interface Walk {
  readonly textOf: CanonicalTextOptions['textOf']
  /** The objects around the current part. One of them inside itself is a cycle. */
  readonly around: object[]
}

function textOfValue(value: unknown, walk: Walk): string {
  switch (typeof value) {
    case 'string':
      return `s${value.length}:${value}`
    case 'number':
      return Object.is(value, -0) ? 'n-0' : `n${value}`
    case 'bigint':
      return `i${value}`
    case 'boolean':
      return value ? 't' : 'f'
    case 'undefined':
      return 'u'
    case 'object':
      return value === null ? 'z' : textOfObject(value, walk)
    default:
      throw new Refused(value)
  }
}

function textOfObject(value: object, walk: Walk): string {
  const brand = brandOf(value)
  const isWritten = brand === 'Object' || brand === 'Array' || (brand !== undefined && written.has(brand))
  if (!isWritten || hasSymbolMember(value)) {
    const own = walk.textOf?.(value, brand)
    if (own === undefined) throw new Refused(value)
    return own
  }
  const { around } = walk
  if (around.includes(value)) throw new Refused(value)
  around.push(value)
  const text = textOfContent(value, brand, walk)
  around.pop()
  return text
}

function textOfContent(value: object, brand: Brand, walk: Walk): string {
  switch (brand) {
    case 'Array':
      return textOfElements(value as readonly unknown[], walk)
    case 'Object':
    case 'null prototype':
      return textOfMembers(value as Readonly<Record<string, unknown>>, walk)
    case 'Date':
      if (hasMembers(value)) throw new Refused(value)
      return `d${Date.prototype.getTime.call(value)}`
    case 'Set': {
      if (hasMembers(value)) throw new Refused(value)
      const elements = Array.from(value as Set<unknown>, (element) => textOfValue(element, walk))
      return `S[${elements.sort().join(',')}]`
    }
    case 'Map': {
      if (hasMembers(value)) throw new Refused(value)
      const pairs = Array.from(
        value as Map<unknown, unknown>,
        ([key, member]) => `${textOfValue(key, walk)}=${textOfValue(member, walk)}`,
      )
      return `M[${pairs.sort().join(',')}]`
    }
    default:
      throw new Refused(value)
  }
}

/** A loop that appends takes half the time of `map` and `join`. */
function textOfElements(elements: readonly unknown[], walk: Walk): string {
  if (!isDense(elements)) throw new Refused(elements)
  let text = '['
  for (let index = 0; index < elements.length; index += 1) {
    if (index > 0) text += ','
    text += textOfValue(elements[index], walk)
  }
  return `${text}]`
}

function textOfMembers(value: Readonly<Record<string, unknown>>, walk: Walk): string {
  const names = sorted(Object.keys(value))
  let text = '{'
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index] as string
    if (index > 0) text += ','
    text += textOfName(name) + textOfValue(value[name], walk)
  }
  return `${text}}`
}

/** The texts of names that were written before: few names make up most data, and a text of one piece is faster to append. */
const nameTexts = new Map<string, string>()
const mostNames = 1000

function textOfName(name: string): string {
  const known = nameTexts.get(name)
  if (known !== undefined) return known
  const text = `s${name.length}:${name}=`
  if (nameTexts.size < mostNames && name.length < 100) nameTexts.set(name, text)
  return text
}

/** Sorts texts in place. `Array.sort` takes half the time of a walk over small objects; this sort takes a tenth. */
function sorted(names: string[]): string[] {
  if (names.length > 20) return names.sort()
  for (let end = 1; end < names.length; end += 1) {
    const name = names[end] as string
    let place = end
    while (place > 0 && (names[place - 1] as string) > name) {
      names[place] = names[place - 1] as string
      place -= 1
    }
    names[place] = name
  }
  return names
}

/** Whether the members of an array are its elements: none is missing, and there are no others. */
function isDense(elements: readonly unknown[]): boolean {
  for (let index = 0; index < elements.length; index += 1)
    if (elements[index] === undefined && !(index in elements)) return false
  return Object.keys(elements).length === elements.length
}

/** Named members of a date, set or map would be left out of the text. */
function hasMembers(value: object): boolean {
  return Object.keys(value).length > 0
}

/** The way from a value to one of its parts. A cycle leads to the part that contains itself. */
function pathTo(value: unknown, part: unknown, seen: Set<unknown> = new Set()): PathStep[] | undefined {
  if (value === part) return []
  if (typeof value !== 'object' || value === null || seen.has(value)) return undefined
  seen.add(value)
  for (const [step, member] of membersOf(value)) {
    const rest = pathTo(member, part, seen)
    if (rest !== undefined) return [step, ...rest]
  }
  return undefined
}

function membersOf(value: object): readonly (readonly [PathStep, unknown])[] {
  switch (brandOf(value)) {
    case 'Array':
      return (value as readonly unknown[]).map((element, index) => [index, element])
    case 'Object':
    case 'null prototype':
      return Object.entries(value)
    case 'Set':
      return [...(value as Set<unknown>)].map((element, index) => [`(element ${index})`, element])
    case 'Map':
      return [...(value as Map<unknown, unknown>)].flatMap(([key, member], index) => [
        [`(key ${index})`, key],
        [`(value ${index})`, member],
      ])
    default:
      return []
  }
}
