import { CacheError } from './cache-error.ts'

/** A description of the value for a message: short and without an address's user and password, because it may hold secrets. */
function describe(given: unknown): string {
  if (typeof given === 'string') {
    const text = given.replace(/:\/\/.*@/s, '://…@')
    return text.length > 60 ? `'${text.slice(0, 57)}…'` : `'${text}'`
  }
  if (given === null) return 'null'
  try {
    if (Array.isArray(given)) return `an array of ${given.length}`
    if (typeof given === 'object') return `an object (${given.constructor?.name ?? 'without prototype'})`
  } catch {
    // A revoked proxy, or a member that throws.
    return 'an object that cannot be read'
  }
  if (typeof given === 'function') return 'a function'
  return typeof given === 'bigint' ? `${given}n` : String(given)
}

/** The error for a refused argument. The message has its name, the given value and the allowed values. */
export function invalidArgument(name: string, given: unknown, allowed: string, operation?: string): CacheError {
  const where = operation === undefined ? '' : `${operation}: `
  return new CacheError('INVALID_ARGUMENT', `${where}${name} must be ${allowed}, but was ${describe(given)}`, {
    operation,
  })
}

/**
 * Whether a value is an object whose members are its content. A `Map`, a promise, an array or a date has content of another kind: as
 * options they would count as empty. The brand is checked rather than the prototype: objects of another realm are welcome.
 */
export function isRecord(given: unknown): given is object {
  try {
    return (
      given !== null &&
      typeof given === 'object' &&
      Object.prototype.toString.call(given) === '[object Object]' &&
      typeof (given as { readonly then?: unknown }).then !== 'function'
    )
  } catch {
    // A revoked proxy, or a member that throws.
    return false
  }
}

/** Whether a value is an array that can be read: `Array.isArray` throws for a revoked proxy. */
export function isList(given: unknown): given is readonly unknown[] {
  try {
    return Array.isArray(given)
  } catch {
    return false
  }
}

/**
 * Throws `INVALID_ARGUMENT` unless `options` is an object whose members are all in `known`. `null` is refused as a value: it would
 * mean the default for some options, and nothing or 0 for others. `undefined` is an absent option.
 */
export function checkOptions(options: unknown, known: readonly string[], operation: string): void {
  if (!isRecord(options)) throw invalidArgument('options', options, 'an object', operation)
  for (const name of namesOf(options, operation)) {
    if (!known.includes(name)) {
      throw new CacheError(
        'INVALID_ARGUMENT',
        `${operation}: unknown option ${isName(name) ? `'${name}'` : '(not shown)'}; allowed are ${known.join(', ')}`,
        { operation },
      )
    }
    if (memberOf(options, name, operation) === null) throw invalidArgument(name, null, 'a value of its kind', operation)
  }
}

function namesOf(options: object, operation: string): readonly string[] {
  try {
    return Object.keys(options)
  } catch {
    throw invalidArgument('options', options, 'an object', operation)
  }
}

function memberOf(options: object, name: string, operation: string): unknown {
  try {
    return (options as Readonly<Record<string, unknown>>)[name]
  } catch (cause) {
    throw new CacheError('INVALID_ARGUMENT', `${operation}: option '${name}' cannot be read: its getter throws`, {
      operation,
      cause,
    })
  }
}

/** Whether a text looks like the name of an option. Another text in its place may be an address with a password. */
function isName(text: string): boolean {
  return /^[\w$.-]{1,60}$/.test(text)
}

/** The error for a call with more arguments than the method takes, which means something else by them. */
export function strayArgument(given: number, most: number, operation: string): CacheError {
  const allowed = most === 0 ? 'no argument' : most === 1 ? 'one argument' : `${most} arguments`
  return new CacheError('INVALID_ARGUMENT', `${operation} takes ${allowed}, but got ${given}`, { operation })
}

/** Returns the number when it is whole and between `least` and `most`, else throws `INVALID_ARGUMENT`. */
export function wholeNumber(
  given: unknown,
  name: string,
  operation: string,
  least = 0,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof given !== 'number' || !Number.isInteger(given) || given < least || given > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `between ${least} and ${most}`
    throw invalidArgument(name, given, `a whole number ${range}`, operation)
  }
  return given
}

/** Returns the string when it is one and not empty, else throws `INVALID_ARGUMENT`. */
export function nonEmptyString(given: unknown, name: string, operation: string): string {
  if (typeof given !== 'string' || given === '')
    throw invalidArgument(name, given, 'a string that is not empty', operation)
  return given
}

/**
 * Returns the signal when it is one or absent, else throws `INVALID_ARGUMENT`. Its members are checked and not its class: a test runner or a
 * polyfill may have a class of its own.
 */
export function optionalSignal(given: unknown, name: string, operation: string): AbortSignal | undefined {
  if (given === undefined) return undefined
  const signal = given as Partial<AbortSignal> | null
  if (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function')
    throw invalidArgument(name, given, 'an AbortSignal', operation)
  return given as AbortSignal
}

/** Returns the value when it is `true` or `false`, else throws `INVALID_ARGUMENT`. */
export function trueOrFalse(given: unknown, name: string, operation: string): boolean {
  if (typeof given !== 'boolean') throw invalidArgument(name, given, 'true or false', operation)
  return given
}

/** Returns the string when it is one of `allowed`, else throws `INVALID_ARGUMENT`. */
export function oneOf<const Choice extends string>(
  given: unknown,
  allowed: readonly Choice[],
  name: string,
  operation: string,
): Choice {
  if (!allowed.includes(given as Choice)) {
    throw invalidArgument(name, given, `one of ${allowed.map((choice) => `'${choice}'`).join(', ')}`, operation)
  }
  return given as Choice
}

/** Returns the object when it has all these methods, else throws `INVALID_ARGUMENT`. `what` names such an object: `a backend`. */
export function withMethods<Given>(
  given: Given,
  methods: readonly string[],
  name: string,
  what: string,
  operation: string,
): Given {
  if (!methods.every((method) => hasMember(given, method, 'function')))
    throw invalidArgument(name, given, `${what}, with ${methods.join(', ')}`, operation)
  return given
}

/** Whether the object has a member of this type. A member that cannot be read, as in a revoked proxy, has none. */
export function hasMember(given: unknown, name: string, type: 'function' | 'string'): boolean {
  try {
    const members = given as Readonly<Record<string, unknown>> | null
    return typeof members === 'object' && members !== null && typeof members[name] === type
  } catch {
    return false
  }
}
