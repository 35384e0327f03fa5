import type { CodecType } from '../types/codec-type.ts'
import { membersOf } from './members-of.ts'

type ErrorClass = new (message?: string) => Error

const classes: ReadonlyMap<string, ErrorClass> = new Map<string, ErrorClass>([
  ['Error', Error],
  ['EvalError', EvalError],
  ['RangeError', RangeError],
  ['ReferenceError', ReferenceError],
  ['SyntaxError', SyntaxError],
  ['TypeError', TypeError],
  ['URIError', URIError],
])

/**
 * Errors, with name, message, stack, cause and their enumerable members, such as `code`. An error of a class of the application
 * comes back as an instance of the built-in class that it extends, with its name. The cause must be data or an error.
 */
export const errorType: CodecType<Error> = {
  name: 'Error',
  is: (value) => Object.prototype.toString.call(value) === '[object Error]',
  encode(error) {
    const { name, message, stack } = error
    const cause = Object.hasOwn(error, 'cause') ? [error.cause] : []
    return { class: builtInClassOf(error), name, message, stack: stack ?? null, cause, members: { ...error } }
  },
  decode(data) {
    const { class: className, name, message, stack, cause, members } = membersOf(data, 'Error')
    const Class = classes.get(String(className)) ?? Error
    const error = new Class(String(message))
    if (error.name !== name) define(error, 'name', name)
    define(error, 'stack', typeof stack === 'string' ? stack : undefined)
    if (Array.isArray(cause) && cause.length > 0) define(error, 'cause', cause[0])
    for (const [member, value] of Object.entries(membersOf(members, 'Error'))) define(error, member, value, true)
    return error
  },
}

/** The nearest class that is built in. An error of another realm has one of the same name. */
function builtInClassOf(error: Error): string {
  for (let at: object | null = error; at !== null; at = Object.getPrototypeOf(at)) {
    const Class: unknown = Object.getOwnPropertyDescriptor(at, 'constructor')?.value
    if (typeof Class === 'function' && classes.has(Class.name)) return Class.name
  }
  return 'Error'
}

function define(error: Error, name: string, value: unknown, enumerable = false): void {
  Object.defineProperty(error, name, { value, enumerable, writable: true, configurable: true })
}
