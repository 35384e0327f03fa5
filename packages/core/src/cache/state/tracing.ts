import { tracingChannel } from './tracing-channel.ts'

/** What subscribers of the tracing channels get. */
export interface CacheTrace {
  /** The `name` of the cache. */
  readonly cache: string
  readonly key?: string
  readonly operation: string
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

export function traceGet<T>(
  cache: string,
  key: string | undefined,
  operation: string,
  run: () => Promise<T>,
): Promise<T> {
  return getChannel.hasSubscribers ? getChannel.tracePromise(run, trace(cache, key, operation)) : run()
}

/** Whether a tool listens to reads; a read makes no closure otherwise. */
export function readsAreTraced(): boolean {
  return getChannel.hasSubscribers
}

export function traceLoad<T>(cache: string, key: string, run: () => Promise<T>): Promise<T> {
  return loadChannel.hasSubscribers ? loadChannel.tracePromise(run, trace(cache, key, 'load')) : run()
}

export function traceWrite<T>(
  cache: string,
  key: string | undefined,
  operation: string,
  run: () => Promise<T>,
): Promise<T> {
  return writeChannel.hasSubscribers ? writeChannel.tracePromise(run, trace(cache, key, operation)) : run()
}

/** The same for a `SyncCache`, whose traces have `start`, `end` and `error` only. */
export function traceGetNow<T>(cache: string, key: string | undefined, operation: string, run: () => T): T {
  return getChannel.hasSubscribers ? getChannel.traceSync(run, trace(cache, key, operation)) : run()
}

export function traceLoadNow<T>(cache: string, key: string | undefined, run: () => T): T {
  return loadChannel.hasSubscribers ? loadChannel.traceSync(run, trace(cache, key, 'load')) : run()
}

export function traceWriteNow<T>(cache: string, key: string | undefined, operation: string, run: () => T): T {
  return writeChannel.hasSubscribers ? writeChannel.traceSync(run, trace(cache, key, operation)) : run()
}

function trace(cache: string, key: string | undefined, operation: string): CacheTrace {
  return key === undefined ? { cache, operation } : { cache, key, operation }
}
