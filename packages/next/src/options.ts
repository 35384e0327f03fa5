import { type Clock, type Duration, systemClock } from '@cache/core'
import { checkClock, checkOptions, invalidArgument, milliseconds, nonEmptyString, oneOf } from '@cache/core/backend'

/** Options of `nextCacheHandler`. */
export interface NextCacheOptions {
  /** Handlers with the same name share one cache in a process, whichever bundle or file they come from. Default `'default'`. */
  readonly name?: string | undefined
  /** The first part of every key. Default `'next'`. */
  readonly prefix?: string | undefined
  /** Separates the pages of deployments. Default: the build id of Next, from the file `BUILD_ID` of the build. */
  readonly buildId?: string | undefined
  /**
   * The store during `next build`: `'memory'` keeps entries in the process of the build and opens no cache; `'cache'` uses the cache.
   * Default `'memory'`.
   */
  readonly duringBuild?: 'memory' | 'cache' | undefined
  /** The longest life of an entry, and the time for which invalidated tags are remembered. Default `'30d'`. */
  readonly maxAge?: Duration | undefined
  /** How far the clocks of machines may differ. A render that began within this time after an invalidation is not kept. Default `'1s'`. */
  readonly clockTolerance?: Duration | undefined
  /** Gets failures of the store, which Next never sees. Default: the first failure of each kind is a warning of the process. */
  readonly onError?: ((error: unknown, operation: string) => void) | undefined
  /** Source of the current instant. Default: the machine's. */
  readonly clock?: Clock | undefined
}

/** The options with their defaults. */
export interface Settings {
  readonly name: string
  readonly prefix: string
  readonly buildId: string | undefined
  readonly duringBuild: 'memory' | 'cache'
  readonly maxAge: number
  readonly clockTolerance: number
  readonly onError: ((error: unknown, operation: string) => void) | undefined
  readonly clock: Clock
}

const names = ['name', 'prefix', 'buildId', 'duringBuild', 'maxAge', 'clockTolerance', 'onError', 'clock']
const operation = 'nextCacheHandler'

/** The options with their defaults filled in. Throws `INVALID_ARGUMENT`. */
export function resolveOptions(options: NextCacheOptions): Settings {
  checkOptions(options, names, operation)
  const { name, prefix, buildId, duringBuild, maxAge, clockTolerance, onError, clock } = options
  const longest = maxAge === undefined ? 30 * 86_400_000 : milliseconds(maxAge, 'maxAge', operation)
  if (longest === 0) throw invalidArgument('maxAge', maxAge, 'more than 0', operation)
  const tolerance = clockTolerance === undefined ? 1000 : milliseconds(clockTolerance, 'clockTolerance', operation)
  if (tolerance === Number.POSITIVE_INFINITY)
    throw invalidArgument('clockTolerance', clockTolerance, 'a finite duration', operation)
  if (onError !== undefined && typeof onError !== 'function')
    throw invalidArgument('onError', onError, 'a function', operation)
  return {
    name: name === undefined ? 'default' : nonEmptyString(name, 'name', operation),
    prefix: prefix === undefined ? 'next' : nonEmptyString(prefix, 'prefix', operation),
    buildId: buildId === undefined ? undefined : nonEmptyString(buildId, 'buildId', operation),
    duringBuild:
      duringBuild === undefined ? 'memory' : oneOf(duringBuild, ['memory', 'cache'], 'duringBuild', operation),
    maxAge: longest,
    clockTolerance: tolerance,
    onError,
    clock: clock === undefined ? systemClock : checkClock(clock, operation),
  }
}
