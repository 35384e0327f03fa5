import { invalidArgument, nonEmptyString } from '@cache/core/backend'
import type { CodecType } from '../types/codec-type.ts'
import { membersOf } from './members-of.ts'

/**
 * Instances of a class whose content is its own enumerable members, such as an entity: `classType(User)`. `decode` does not call
 * the constructor. Private members (`#name`) are not kept, so a class with such members needs a type of its own. Subclasses are
 * not of this type. `name` is stored: give one if a bundler shortens the names of classes. Default: the name of the class.
 */
export function classType<Instance extends object>(
  Class: abstract new (...args: never) => Instance,
  name: string = (Class as { readonly name?: string } | undefined)?.name ?? '',
): CodecType<Instance> {
  if (typeof Class !== 'function') throw invalidArgument('Class', Class, 'a class', 'classType')
  const typeName = nonEmptyString(name, 'name', 'classType')
  const prototype: object = Class.prototype
  return {
    name: typeName,
    is: (value) => Object.getPrototypeOf(value) === prototype,
    encode: (instance) => ({ ...instance }),
    decode(data) {
      const instance = Object.create(prototype)
      for (const [member, value] of Object.entries(membersOf(data, typeName))) {
        Object.defineProperty(instance, member, { value, writable: true, enumerable: true, configurable: true })
      }
      return instance
    },
  }
}
