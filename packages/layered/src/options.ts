import {
  type Bus,
  type CacheBackend,
  type Clock,
  checkOptions,
  type Duration,
  invalidArgument,
  milliseconds,
  systemClock,
  wholeNumber,
} from '@cache/core/backend'

/** What happens to deletes that the last layer could not take. */
export interface RecoveryOptions {
  /** Deletes that may wait; one more rejects with `QUEUE_FULL`. Default 1,000. */
  readonly maxPending?: number
  /** Time before the first retry; it doubles with each failure. Default `'100ms'`. */
  readonly retryDelay?: Duration
  /** The longest time between retries. Default `'30s'`. */
  readonly maxRetryDelay?: Duration
}

export interface LayeredOptions {
  /** Two or more backends, nearest first. The last is the authority: what it says is true, the others hold copies. */
  readonly layers: readonly CacheBackend[]
  /** Announces changes to the near layers of other processes. Without it they learn of a change when their copy runs out. */
  readonly bus?: Bus
  /** The longest life of a near copy. The copy never outlives the item. Default: the item's own life. */
  readonly nearTtl?: Duration
  /**
   * How long the version of a tag may be remembered near. With a bus a change is known at once and this bounds only what a
   * lost announcement costs; without one it bounds how late a tag invalidation of another process is seen. 0: ask the last
   * layer every time. Default `'1s'`.
   */
  readonly tagWindow?: Duration
  /**
   * Takes deletes that the last layer fails to do, retries them and announces them then. The queue lives in this process and
   * ends with it. Default: such a delete rejects.
   */
  readonly recovery?: RecoveryOptions
  /**
   * `close` also closes the layers and the bus, except those that another open cache or composite backend uses: the last user
   * closes them. Default `true`. `false` is for layers that the application closes itself.
   */
  readonly closeParts?: boolean
  /** Default: the machine's clock. */
  readonly clock?: Clock
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
  /** `Infinity` where copies live as long as their items. */
  readonly nearTtl: number
  readonly tagWindow: number
  readonly recovery: ResolvedRecovery | undefined
  readonly closeParts: boolean
  readonly clock: Clock
  /** The clock was handed in: exact, and moved by whoever handed it in. */
  readonly exactClock: boolean
}

const operation = 'new LayeredBackend'
const known = ['layers', 'bus', 'nearTtl', 'tagWindow', 'recovery', 'closeParts', 'clock']

export function resolveOptions(options: LayeredOptions): ResolvedOptions {
  checkOptions(options, known, operation)
  const layers = checkLayers(options.layers)
  return {
    nears: layers.slice(0, -1),
    authority: layers.at(-1) as CacheBackend,
    bus: options.bus === undefined ? undefined : checkMembers(options.bus, ['publish', 'subscribe'], 'bus', 'a bus'),
    nearTtl: checkNearTtl(options.nearTtl),
    tagWindow: finite(options.tagWindow ?? '1s', 'tagWindow'),
    recovery: options.recovery === undefined ? undefined : resolveRecovery(options.recovery),
    closeParts: checkBoolean(options.closeParts ?? true, 'closeParts'),
    clock: options.clock === undefined ? systemClock : checkMembers(options.clock, ['now'], 'clock', 'a clock'),
    exactClock: options.clock !== undefined,
  }
}

function checkLayers(layers: unknown): readonly CacheBackend[] {
  if (!Array.isArray(layers) || layers.length < 2) {
    throw invalidArgument('layers', layers, 'an array of two or more backends, nearest first', operation)
  }
  for (const [index, layer] of layers.entries()) {
    checkMembers(layer, ['get', 'set', 'delete', 'clear'], `layers[${index}]`, 'a backend')
  }
  if (new Set(layers).size !== layers.length) {
    throw invalidArgument('layers', layers, 'an array without the same backend twice', operation)
  }
  return [...layers] as CacheBackend[]
}

function resolveRecovery(recovery: RecoveryOptions): ResolvedRecovery {
  checkOptions(recovery, ['maxPending', 'retryDelay', 'maxRetryDelay'], `${operation}: recovery`)
  const retryDelay = positive(recovery.retryDelay ?? '100ms', 'recovery.retryDelay')
  const maxRetryDelay = positive(recovery.maxRetryDelay ?? '30s', 'recovery.maxRetryDelay')
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

/** The longest delay that a timer takes; longer ones would fire at once. */
const longestTimer = 2 ** 31 - 1

function finite(given: Duration, name: string): number {
  const ms = milliseconds(given, name, operation)
  if (ms > longestTimer) throw invalidArgument(name, given, `at most ${longestTimer} ms`, operation)
  return ms
}

function positive(given: Duration, name: string): number {
  const ms = finite(given, name)
  if (ms === 0) throw invalidArgument(name, given, 'more than 0', operation)
  return ms
}

function checkBoolean(given: unknown, name: string): boolean {
  if (typeof given !== 'boolean') throw invalidArgument(name, given, 'true or false', operation)
  return given
}

function checkMembers<Given>(given: Given, members: readonly string[], name: string, what: string): Given {
  const object = given as Record<string, unknown> | null | undefined
  if (
    typeof object !== 'object' ||
    object === null ||
    !members.every((member) => typeof object[member] === 'function')
  ) {
    throw invalidArgument(name, given, `${what}, with ${members.join(', ')}`, operation)
  }
  return given
}
