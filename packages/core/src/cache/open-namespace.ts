import { checkOptions, invalidArgument } from '../protocol/argument.ts'
import type { CacheBackend, SyncCacheBackend } from '../protocol/backend.ts'
import { parseItemKey } from '../protocol/keyspace.ts'
import {
  type CacheOptions,
  cacheOptionNames,
  checkBackend,
  namespaceSegments,
  resolveSettings,
  type SyncCacheOptions,
  syncCacheOptionNames,
} from './options/cache-options.ts'
import { Context } from './state/cache-state.ts'
import { Scope } from './items/namespace.ts'
import { deleteAll } from './state/backend-adapter.ts'
import { openWriter } from './database/open-writer.ts'

/** The root of a new `Cache`. Throws `INVALID_ARGUMENT`. */
export function openScope(options: CacheOptions<never>): Scope {
  const operation = 'new Cache'
  checkOptions(options, cacheOptionNames, operation)
  checkBackend(options.backend, operation)
  const settings = resolveSettings(options, operation)
  const segments = namespaceSegments(options.namespace, operation)
  const { backend } = options
  const store = backend.sync ?? backend
  const local = backend.sync !== undefined
  const context = new Context({ backend, store, local, settings, segments, synchronous: false })
  const writer = openWriter(options, context, (keys) => dropRecovered(context, keys))
  context.share.caches += 1
  return new Scope(context, segments, writer)
}

/** The root of a new `SyncCache`. Throws `INVALID_ARGUMENT`. */
export function openSyncScope(options: SyncCacheOptions): Scope {
  const operation = 'new SyncCache'
  checkOptions(options, syncCacheOptionNames, operation)
  checkBackend(options.backend, operation)
  const store = syncStore(options.backend, operation)
  const settings = resolveSettings(options, operation)
  const segments = namespaceSegments(options.namespace, operation)
  const { backend } = options
  const context = new Context({ backend, store, local: true, settings, segments, synchronous: true })
  context.share.caches += 1
  return new Scope(context, segments)
}

/** Removes from the cache what an earlier process had yet to write to the database. */
async function dropRecovered(context: Context, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return
  const stored = keys.map((key) => {
    const item = parseItemKey(key)
    return new Scope(context, [...context.segments, ...(item?.segments ?? [])]).stored(item?.key ?? key, 'writeBehind')
  })
  await deleteAll(context.store, stored)
  // After it: a load that is under way may have read the database before the earlier process' write.
  for (const key of stored) context.share.flights.fence(key)
}

function syncStore(backend: CacheBackend | SyncCacheBackend, operation: string): SyncCacheBackend {
  if ('sync' in backend && backend.sync !== undefined) return backend.sync
  // A synchronous backend has nothing to tell it from an asynchronous one but its answers.
  const answer: unknown = backend.get('')
  if (answer instanceof Promise) {
    answer.catch(() => {})
    throw invalidArgument('backend', backend, 'one that answers without waiting, or has a member sync', operation)
  }
  return backend as SyncCacheBackend
}
