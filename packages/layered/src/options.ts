import {
  type Bus,
  type CacheBackend,
  type Clock,
  checkBackend,
  checkClock,
  checkOptions,
  type Duration,
  invalidArgument,
  isList,
  milliseconds,
  timerDelay,
  trueOrFalse,
  wholeNumber,
  withMethods,
} from '@cache/core/backend'

/** The queue of deletes and clears that the last layer has failed to do. */
export interface RecoveryOptions {
  /** Deletes and clears in the queue. A further one rejects with `QUEUE_FULL`. Default: 1,000. */
  readonly maxPending?: number | undefined
  /** Time before the first retry. It doubles with each failure. Default: `'100ms'`. */
  readonly retryDelay?: Duration | undefined
  /** Longest time between two retries. Default: `'30s'`. */
  readonly maxRetryDelay?: Duration | undefined
}

export interface LayeredOptions {
  /** Two or more backends, nearest first. The last one is the authority, and the others have copies of its items. */
  readonly layers: readonly CacheBackend[]
  /**
   * Announces changes to other processes. Default: none; other processes then serve their near copies until these
   * expire.
   */
  readonly bus?: Bus | undefined
  /** Longest life of a near copy. A copy never outlives its item. Default: the life of the item. */
  readonly nearTtl?: Duration | undefined
  /**
   * How long this process remembers the version of a tag. It limits how late the process notices that another one has
   * invalidated the tag, if there is no bus or an announcement is lost. 0: the last layer is asked every time. Default:
   * `'1s'`.
   */
  readonly tagWindow?: Duration | undefined
  /**
   * How long near copies answer while neither the bus nor the last layer can be reached, from the loss of the bus. Other
   * processes may change the data meanwhile. 0: such reads reject. Default: `'1m'`.
   */
  readonly maxOutage?: Duration | undefined
  /**
   * Queues removals that the last layer fails to do, retries them, and announces them when they are done. These are
   * deletes, clears, invalidations of tags, and the delete of an item that a failed `set` was to replace. The queue is
   * in memory and ends with the process. Default: none; such a call rejects.
   */
  readonly recovery?: RecoveryOptions | undefined
  /**
   * Whether `close` also closes the layers and the bus. A part that another open cache or composite backend uses stays
   * open until its last user closes. `false` is for parts that the application closes itself. Default: `true`.
   */
  readonly closeParts?: boolean | undefined
  /** The clock, for tests. Default: the clock of the machine. */
  readonly clock?: Clock | undefined
}

export interface ResolvedRecovery {
  readonly maxPending: number
  readonly retryDelay: number
  readonly maxRetryDelay: number
}

export interface ResolvedOptions {
  readonly nears: readonly CacheBackend[]
  readonly authority: CacheBackend
  readonly bus: Bus | undefined
  /** `Infinity`: copies live as long as their items. */
  readonly nearTtl: number
  readonly tagWindow: number
  /** `Infinity`: copies answer during an outage of any length. */
  readonly maxOutage: number
  readonly recovery: ResolvedRecovery | undefined
  readonly closeParts: boolean
  readonly clock: Clock
  /** Whether the clock was injected. Such a clock is exact: it moves only when the test moves it. */
  readonly exactClock: boolean
}

const operation = 'new LayeredBackend'
const known = ['layers', 'bus', 'nearTtl', 'tagWindow', 'maxOutage', 'recovery', 'closeParts', 'clock']

export function resolveOptions(options: LayeredOptions): ResolvedOptions {
  checkOptions(options, known, operation)
  const layers = checkLayers(options.layers)
  return {
    nears: layers.slice(0, -1),
    authority: layers.at(-1) as CacheBackend,
    bus:
      options.bus === undefined
        ? undefined
        : withMethods(options.bus, ['publish', 'subscribe'], 'bus', 'a bus', operation),
    nearTtl: checkNearTtl(options.nearTtl),
    tagWindow: timerDelay(options.tagWindow ?? '1s', 'tagWindow', operation, 0),
    maxOutage: milliseconds(options.maxOutage ?? '1m', 'maxOutage', operation),
    recovery: options.recovery === undefined ? undefined : resolveRecovery(options.recovery),
    closeParts: trueOrFalse(options.closeParts ?? true, 'closeParts', operation),
    clock: checkClock(options.clock, operation),
    exactClock: options.clock !== undefined,
  }
}

function checkLayers(layers: unknown): readonly CacheBackend[] {
  if (!isList(layers) || layers.length < 2) {
    throw invalidArgument('layers', layers, 'an array of two or more backends, nearest first', operation)
  }
  for (const [index, layer] of layers.entries()) checkBackend(layer, `layers[${index}]`, operation)
  if (new Set(layers).size !== layers.length) {
    throw invalidArgument('layers', layers, 'an array without the same backend twice', operation)
  }
  return [...layers] as CacheBackend[]
}

function resolveRecovery(recovery: RecoveryOptions): ResolvedRecovery {
  checkOptions(recovery, ['maxPending', 'retryDelay', 'maxRetryDelay'], `${operation}: recovery`)
  const retryDelay = timerDelay(recovery.retryDelay ?? '100ms', 'recovery.retryDelay', operation)
  const maxRetryDelay = timerDelay(recovery.maxRetryDelay ?? '30s', 'recovery.maxRetryDelay', operation)
  if (maxRetryDelay < retryDelay) {
    throw invalidArgument('recovery.maxRetryDelay', maxRetryDelay, 'recovery.retryDelay or more', operation)
  }
  const maxPending = wholeNumber(recovery.maxPending ?? 1000, 'recovery.maxPending', operation, 1)
  return { maxPending, retryDelay, maxRetryDelay }
}

function checkNearTtl(given: Duration | undefined): number {
  if (given === undefined) return Infinity
  const ms = milliseconds(given, 'nearTtl', operation)
  if (ms === 0) throw invalidArgument('nearTtl', given, 'more than 0', operation)
  return ms
}
