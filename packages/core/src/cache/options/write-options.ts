import { checkOptions, invalidArgument, isList } from '../../protocol/argument.ts'
import type { LifetimeOptions } from './lifetime.ts'

/** How a value is kept. */
export interface WriteOptions extends LifetimeOptions {
  /** Names under which `deleteByTag` finds the value. Default: none. */
  readonly tags?: readonly string[] | undefined
  /** The share of the value in the backend's limit of bytes. Default: the size that the backend measures. */
  readonly cost?: number | undefined
}

/** How a value replaces another one. */
export interface ReplaceOptions extends WriteOptions {
  /**
   * Keeps the remaining lifetime of the fresh value that is replaced. Where there is none, the other options apply. Needs a backend with
   * `compareAndSet`. Default `false`.
   */
  readonly keepTtl?: boolean | undefined
}

export const writeOptionNames: readonly string[] = ['ttl', 'expiresAt', 'staleFor', 'tags', 'cost']
export const replaceOptionNames: readonly string[] = [...writeOptionNames, 'keepTtl']

export function checkWriteOptions(
  options: ReplaceOptions | undefined,
  operation: string,
  names: readonly string[] = writeOptionNames,
): void {
  if (options === undefined) return
  checkOptions(options, names, operation)
  if (options.tags !== undefined) checkTags(options.tags, operation)
  const { cost, keepTtl } = options
  if (keepTtl !== undefined && typeof keepTtl !== 'boolean')
    throw invalidArgument('keepTtl', keepTtl, 'true or false', operation)
  if (cost !== undefined && !(typeof cost === 'number' && cost >= 0 && cost <= Number.MAX_SAFE_INTEGER)) {
    throw invalidArgument('cost', cost, 'a number between 0 and 2^53 - 1', operation)
  }
}

/** Whether the option is true. The check of the options, which names a getter that throws, follows. */
export function keepsTtl(options: ReplaceOptions | undefined): boolean {
  try {
    return options?.keepTtl === true
  } catch {
    return false
  }
}

export function checkTags(tags: unknown, operation: string): asserts tags is readonly string[] {
  if (!isList(tags)) throw invalidArgument('tags', tags, 'an array of strings', operation)
  for (const tag of tags) {
    if (typeof tag !== 'string' || tag === '')
      throw invalidArgument('a tag', tag, 'a string that is not empty', operation)
  }
}

export function checkKey(key: unknown, operation: string): asserts key is string {
  if (typeof key !== 'string') throw invalidArgument('key', key, 'a string', operation)
}

export function checkKeys(keys: unknown, operation: string): asserts keys is readonly string[] {
  if (!isList(keys)) throw invalidArgument('keys', keys, 'an array of strings', operation)
  for (const key of keys) checkKey(key, operation)
}

export function checkValue(value: unknown, operation: string): void {
  if (value === undefined) {
    throw invalidArgument('value', value, 'anything but undefined, which means "not there"; null is a value', operation)
  }
}

export function checkFunction(given: unknown, name: string, operation: string): void {
  if (typeof given !== 'function') throw invalidArgument(name, given, 'a function', operation)
}
