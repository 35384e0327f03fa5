import { tracingChannel } from './tracing-channel.ts'

/** What subscribers of the tracing channels get. One call has one object, from its start to its end. */
export interface CacheTrace {
  /** The `name` of the cache. */
  readonly cache: string
  /** The segments of the namespace; empty for a cache without one. */
  readonly namespace: readonly string[]
  readonly key?: string
  readonly operation: string
  /** For reads, at their end: how many keys had a value. Absent for none. */
  hits?: number
  /** How many of the hits were stale. Absent for none. */
  stale?: number
  /** How many keys had no value, also where a load then made one. Absent for none. */
  misses?: number
}

/** The cache that a call is traced for. */
export interface TracedCache {
  readonly segments: readonly string[]
  readonly state: { readonly settings: { readonly name: string } }
}

/** The name of the channel of reads, for `Hits`, which checks its subscribers directly. */
export const getsName = 'cache:get'

/**
 * The channels `tracing:cache:get:*`, `tracing:cache:load:*` and `tracing:cache:write:*` of `node:diagnostics_channel`, for tracing
 * tools to attach to. Without a subscriber they cost one comparison.
 */
const getChannel = tracingChannel<CacheTrace>(getsName)
const loadChannel = tracingChannel<CacheTrace>('cache:load')
const writeChannel = tracingChannel<CacheTrace>('cache:write')

/** The message of a read, while a tool listens to reads; a read makes neither a message nor a closure otherwise. */
export function newReadTrace(cache: TracedCache, key: string | undefined, operation: string): CacheTrace | undefined {
  return getChannel.hasSubscribers ? trace(cache, key, operation) : undefined
}

/** Whether a tool listens to reads. */
export function readsAreTraced(): boolean {
  return getChannel.hasSubscribers
}

export function traceGet<T>(message: CacheTrace, run: () => Promise<T>): Promise<T> {
  return getChannel.tracePromise(run, message)
}

export function traceLoad<T>(cache: TracedCache, key: string, run: () => Promise<T>): Promise<T> {
  return loadChannel.hasSubscribers ? loadChannel.tracePromise(run, trace(cache, key, 'load')) : run()
}

export function traceWrite<T>(
  cache: TracedCache,
  key: string | undefined,
  operation: string,
  run: () => Promise<T>,
): Promise<T> {
  return writeChannel.hasSubscribers ? writeChannel.tracePromise(run, trace(cache, key, operation)) : run()
}

/** The same for a `SyncCache`, whose traces have `start`, `end` and `error` only. */
export function traceGetNow<T>(message: CacheTrace, run: () => T): T {
  return getChannel.traceSync(run, message)
}

export function traceLoadNow<T>(cache: TracedCache, key: string | undefined, run: () => T): T {
  return loadChannel.hasSubscribers ? loadChannel.traceSync(run, trace(cache, key, 'load')) : run()
}

export function traceWriteNow<T>(cache: TracedCache, key: string | undefined, operation: string, run: () => T): T {
  return writeChannel.hasSubscribers ? writeChannel.traceSync(run, trace(cache, key, operation)) : run()
}

function trace({ segments, state }: TracedCache, key: string | undefined, operation: string): CacheTrace {
  const message = { cache: state.settings.name, namespace: segments, operation }
  return key === undefined ? message : { ...message, key }
}
