import { checkOptions, invalidArgument } from '../../protocol/argument.ts'
import { loadDefaults } from '../options/cache-options.ts'
import { checkGetOrSetOptions, type GetOrSetOptions, getOrSetOptionNames } from '../options/get-or-set-options.ts'
import { lifetime } from '../options/lifetime.ts'
import {
  resolveSyncGetOrSetOptions,
  type SyncGetOrSetOptions,
  syncGetOrSetOptionNames,
} from '../options/sync-get-or-set-options.ts'
import { checkFunction } from '../options/write-options.ts'
import { argumentKey } from './argument-key.ts'
import type { SyncWrappedFunction, WrappedFunction } from './wrapped-function.ts'

interface KeyOption<Arguments extends readonly unknown[]> {
  /**
   * The name that all keys of the function start with, or a function that makes the whole key from the arguments. With a name, the
   * rest of the key is made from the arguments: equal data give the same key, different data never do. A name has no `(`.
   */
  readonly key: string | ((...args: Arguments) => string)
}

/** Options of `wrap`: those of `getOrSet`, and how keys are made. */
export interface WrapOptions<Arguments extends readonly unknown[]> extends GetOrSetOptions, KeyOption<Arguments> {}

/** The same for a `SyncCache`. */
export interface SyncWrapOptions<Arguments extends readonly unknown[]>
  extends SyncGetOrSetOptions,
    KeyOption<Arguments> {}

/** The methods of a `Cache` that `wrap` needs. */
interface AsyncSource {
  getOrSet<T>(key: string, loader: () => Promise<T> | T, options: GetOrSetOptions): Promise<T>
  delete(key: string): Promise<boolean>
}

/** The methods of a `SyncCache` that `wrap` needs. */
interface SyncSource {
  getOrSet<T>(key: string, loader: () => T, options: SyncGetOrSetOptions): T
  delete(key: string): boolean
}

export function wrapFunction<Arguments extends readonly unknown[], Result>(
  cache: AsyncSource,
  fn: (...args: Arguments) => Promise<Result> | Result,
  options: WrapOptions<Arguments>,
): WrappedFunction<Arguments, Result> {
  checkFunction(fn, 'fn', 'wrap')
  checkOptions(options, [...getOrSetOptionNames, 'key'], 'wrap')
  const { key, ...rest } = options
  const keyOf = keyMaker(key)
  lifetime(rest, noLife, 'wrap')
  checkGetOrSetOptions(rest, loadDefaults, 'wrap')
  // A function, not an arrow: the wrapped function keeps its `this`.
  async function wrapped(this: unknown, ...args: Arguments): Promise<Result> {
    return await cache.getOrSet(keyOf(args), () => fn.call(this, ...args), rest)
  }
  return Object.assign(wrapped, {
    keyOf: (...args: Arguments) => keyOf(args),
    invalidate: async (...args: Arguments) => await cache.delete(keyOf(args)),
    refresh: async (...args: Arguments) =>
      await cache.getOrSet(keyOf(args), () => fn(...args), { ...rest, forceRefresh: true }),
  })
}

export function wrapSync<Arguments extends readonly unknown[], Result>(
  cache: SyncSource,
  fn: (...args: Arguments) => Result,
  options: SyncWrapOptions<Arguments>,
): SyncWrappedFunction<Arguments, Result> {
  checkFunction(fn, 'fn', 'wrap')
  checkOptions(options, [...syncGetOrSetOptionNames, 'key'], 'wrap')
  const { key, ...rest } = options
  const keyOf = keyMaker(key)
  lifetime(rest, noLife, 'wrap')
  resolveSyncGetOrSetOptions(rest, loadDefaults, 'wrap')
  function wrapped(this: unknown, ...args: Arguments): Result {
    return cache.getOrSet(keyOf(args), () => fn.call(this, ...args), rest)
  }
  return Object.assign(wrapped, {
    keyOf: (...args: Arguments) => keyOf(args),
    invalidate: (...args: Arguments) => cache.delete(keyOf(args)),
    refresh: (...args: Arguments) => cache.getOrSet(keyOf(args), () => fn(...args), { ...rest, forceRefresh: true }),
  })
}

/** Lifetimes are only checked here: the cache applies its own defaults at each call. */
const noLife = { ttl: 0, staleFor: 0, expiresAt: undefined }

function keyMaker<Arguments extends readonly unknown[]>(key: KeyOption<Arguments>['key']): (args: Arguments) => string {
  if (typeof key === 'function') return (args) => key(...args)
  checkName(key)
  return (args) => `${key}(${argumentKey(args, 'wrap')})`
}

/** The first `(` of a key ends the name: no name and arguments can look like another name and others. */
function checkName(key: unknown): void {
  if (typeof key !== 'string' || key === '' || key.includes('('))
    throw invalidArgument('key', key, "a function, or a name that is not empty and has no '('", 'wrap')
}
