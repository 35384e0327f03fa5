import { checkOptions, invalidArgument, nonEmptyString } from '../protocol/argument.ts'
import { argumentKey } from './argument-key.ts'
import type { Cache } from './cache.ts'
import { type GetOrSetOptions, getOrSetOptionNames } from './get-or-set-options.ts'
import { checkFunction } from './write-options.ts'

/** Options of `wrap`: those of `getOrSet`, and how keys are made. */
export interface WrapOptions<Arguments extends readonly unknown[]> extends GetOrSetOptions {
  /**
   * The name that all keys of the function start with, or a function that makes the whole key from the arguments. With a name, the
   * rest of the key is made from the arguments: equal data give the same key, different data never do.
   */
  readonly key: string | ((...args: Arguments) => string)
}

export function wrapFunction<Arguments extends readonly unknown[], Result>(
  cache: Cache<Result>,
  fn: (...args: Arguments) => Promise<Result> | Result,
  options: WrapOptions<Arguments>,
): (...args: Arguments) => Promise<Result> {
  checkFunction(fn, 'fn', 'wrap')
  if (options === null || typeof options !== 'object')
    throw invalidArgument('options', options, 'an object with the member key', 'wrap')
  const { key, ...rest } = options
  if (typeof key !== 'function') nonEmptyString(key, 'key', 'wrap')
  checkOptions(rest, getOrSetOptionNames, 'wrap')
  const keyOf = typeof key === 'function' ? key : (...args: Arguments) => `${key}(${argumentKey(args, 'wrap')})`
  return async (...args) => await cache.getOrSet(keyOf(...args), () => fn(...args), rest)
}
