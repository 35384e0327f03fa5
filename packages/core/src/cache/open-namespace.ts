import { deleteMany } from '../backend-kit/batch-fallbacks.ts'
import { isPromise } from '../backend-kit/maybe-promise.ts'
import { addUser } from '../backend-kit/shared-ownership.ts'
import { checkOptions, invalidArgument } from '../protocol/argument.ts'
import type { CacheBackend, SyncCacheBackend } from '../protocol/backend.ts'
import { checkBackend } from '../protocol/check-backend.ts'
import { parseItemKey } from '../protocol/keyspace.ts'
import { openWriter } from './database/open-writer.ts'
import { Namespace } from './items/namespace.ts'
import { tagRecordsOf } from './items/tag-records.ts'
import {
  type CacheOptions,
  cacheOptionNames,
  namespaceSegments,
  resolveSettings,
  type SyncCacheOptions,
  syncCacheOptionNames,
} from './options/cache-options.ts'
import { CacheState } from './state/cache-state.ts'

/** The root of a new `Cache`. Throws `INVALID_ARGUMENT`. */
export function openNamespace(options: CacheOptions<never>): Namespace {
  const operation = 'new Cache'
  checkOptions(options, cacheOptionNames, operation)
  checkBackend(options.backend, 'backend', operation)
  const settings = resolveSettings(options, operation)
  const segments = namespaceSegments(options.namespace, operation)
  const { backend } = options
  const adapter = backend.sync ?? backend
  const local = backend.sync !== undefined
  const state = new CacheState({ backend, adapter, local, settings, segments })
  const tags = tagRecordsOf(state)
  const recovered = new Namespace(state, segments, tags)
  const writer = openWriter(options, state, (keys) => dropRecovered(recovered, keys))
  addUser(backend)
  return new Namespace(state, segments, tags, writer)
}

/** The root of a new `SyncCache`. Throws `INVALID_ARGUMENT`. */
export function openSyncNamespace(options: SyncCacheOptions): Namespace {
  const operation = 'new SyncCache'
  checkOptions(options, syncCacheOptionNames, operation)
  checkBackend(options.backend, 'backend', operation)
  const adapter = syncStore(options.backend, operation)
  const settings = resolveSettings(options, operation)
  const segments = namespaceSegments(options.namespace, operation)
  const { backend } = options
  const state = new CacheState({ backend, adapter, local: true, settings, segments })
  addUser(backend)
  return new Namespace(state, segments, tagRecordsOf(state))
}

/** Removes the keys from the cache whose changes an earlier process had not written to the database. */
async function dropRecovered(namespace: Namespace, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return
  const { state } = namespace
  const stored = keys.map((key) => {
    const item = parseItemKey(key)
    return namespace.child(...(item?.segments ?? [])).backendKey(item?.key ?? key, 'writeBehind')
  })
  await deleteMany(state.adapter, stored)
  // After it: a load that is under way may have read the database before the earlier process' write.
  for (const key of stored) state.shared.flights.invalidate(key)
}

function syncStore(backend: CacheBackend | SyncCacheBackend, operation: string): SyncCacheBackend {
  if ('sync' in backend && backend.sync !== undefined) return backend.sync
  // A synchronous backend differs from an asynchronous one only by its answers.
  const answer: unknown = backend.get('')
  if (isPromise(answer)) {
    answer.then(undefined, () => {})
    throw invalidArgument('backend', backend, 'one that answers without waiting, or has a member sync', operation)
  }
  return backend as SyncCacheBackend
}
