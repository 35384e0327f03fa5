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
   * The text of an object, instead of the text that its kind has; `undefined` for none. It must not look like the text of another value: it
   * has a letter of its own in front, and its end is plain.
   */
  readonly textOf?: ((part: object, brand: Brand | undefined) => string | undefined) | undefined
}

/**
 * A string that is the same for equal data and different for all other data: every value is written with its type and, where its end is
 * not plain, its length. Members of objects, sets and maps are sorted. Throws the error of `refuse` for values that cannot be compared.
 */
export function canonicalText(value: unknown, options: CanonicalTextOptions): string {
  const walk = new Walk(options)
  try {
    return walk.text(value)
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

class Walk {
  readonly #options: CanonicalTextOptions
  /** The objects around the current part. One of them inside itself is a cycle. */
  readonly #around: object[] = []

  constructor(options: CanonicalTextOptions) {
    this.#options = options
  }

  readonly text = (value: unknown): string => {
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
        return value === null ? 'z' : this.#object(value)
      default:
        throw new Refused(value)
    }
  }

  readonly #pair = ([key, member]: readonly [unknown, unknown]): string => `${this.text(key)}=${this.text(member)}`

  #object(value: object): string {
    const brand = brandOf(value)
    const own = this.#options.textOf?.(value, brand)
    if (own !== undefined) return own
    if (this.#around.includes(value) || hasSymbolMember(value)) throw new Refused(value)
    this.#around.push(value)
    const text = this.#content(value, brand)
    this.#around.pop()
    return text
  }

  #content(value: object, brand: Brand | undefined): string {
    switch (brand) {
      case 'Array': {
        const elements = value as readonly unknown[]
        if (!isDense(elements)) throw new Refused(value)
        return `[${elements.map(this.text).join(',')}]`
      }
      case 'Object':
      case 'null prototype':
        return `{${Object.entries(value).map(this.#pair).sort().join(',')}}`
      case 'Date':
        if (hasMembers(value)) throw new Refused(value)
        return `d${Date.prototype.getTime.call(value)}`
      case 'Set':
        if (hasMembers(value)) throw new Refused(value)
        return `S[${[...(value as Set<unknown>)].map(this.text).sort().join(',')}]`
      case 'Map':
        if (hasMembers(value)) throw new Refused(value)
        return `M[${[...(value as Map<unknown, unknown>)].map(this.#pair).sort().join(',')}]`
      default:
        throw new Refused(value)
    }
  }
}

/** Whether the members of an array are its elements. Names come after indices, so the last one shows whether there is one. */
function isDense(elements: readonly unknown[]): boolean {
  const names = Object.keys(elements)
  return names.length === elements.length && (names.length === 0 || names.at(-1) === String(elements.length - 1))
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
