import {
  type CacheBackend,
  checkBackend,
  checkOptions,
  invalidArgument,
  isRecord,
  trueOrFalse,
} from '@cache/core/backend'

export interface ShardedOptions {
  /**
   * The stores by their names, two or more. A name is the store's place among the others for as long as it holds anything: with
   * another name its keys are sought elsewhere. All processes give the same names.
   */
  readonly shards: Readonly<Record<string, CacheBackend>>
  /**
   * `close` also closes the shards, except those that another open cache or composite backend uses: the last user closes them.
   * Default `true`. `false` is for shards that the application closes itself.
   */
  readonly closeParts?: boolean | undefined
}

const operation = 'new ShardedBackend'

/** The shards in the order of their names, and whether to close them. Throws `INVALID_ARGUMENT`. */
export function resolveOptions(options: ShardedOptions): {
  readonly names: readonly string[]
  readonly shards: readonly CacheBackend[]
  readonly closeParts: boolean
} {
  checkOptions(options, ['shards', 'closeParts'], operation)
  const { shards: given, closeParts = true } = options
  if (!isRecord(given) || Object.keys(given).length < 2)
    throw invalidArgument('shards', given, 'an object of two backends or more, by their names', operation)
  const names = Object.keys(given).sort()
  const shards = names.map((name) => checkBackend(given[name], `shards.${name}`, operation))
  if (new Set(shards).size < shards.length)
    throw invalidArgument('shards', given, 'different backends, each under one name', operation)
  return { names, shards, closeParts: trueOrFalse(closeParts, 'closeParts', operation) }
}
