import type { CacheBackend, SyncCacheBackend } from '../../protocol/backend.ts'
import type { Harness } from '../harness/harness.ts'

/** A harness for the suite on the synchronous interface of a backend. */
export function throughSync(harness: Harness): Harness {
  const throughInterface = async (opening: CacheBackend | Promise<CacheBackend>): Promise<CacheBackend> => {
    const backend = await opening
    if (backend.sync === undefined) throw new Error(`${harness.name} has no 'sync'`)
    return withClose(syncBackend(backend.sync), backend)
  }
  return {
    ...harness,
    name: `${harness.name}, through sync`,
    open: (means) => throughInterface(harness.open(means)),
    ...(harness.openSecond && { openSecond: () => throughInterface(harness.openSecond?.() as CacheBackend) }),
    ...(harness.openOther && { openOther: () => throughInterface(harness.openOther?.() as CacheBackend) }),
    ...(harness.openLimited && {
      openLimited: (n: number) => throughInterface(harness.openLimited?.(n) as CacheBackend),
    }),
  }
}

/** A synchronous backend as an asynchronous one. A throw becomes a rejection. */
export function syncBackend(sync: SyncCacheBackend): CacheBackend {
  return {
    name: sync.name,
    get: async (key) => sync.get(key),
    set: async (item) => sync.set(item),
    delete: async (key) => sync.delete(key),
    clear: async (prefix) => sync.clear(prefix),
    ...(sync.getMany && { getMany: async (keys) => sync.getMany?.(keys) ?? [] }),
    ...(sync.setMany && { setMany: async (items) => sync.setMany?.(items) }),
    ...(sync.deleteMany && { deleteMany: async (keys) => sync.deleteMany?.(keys) ?? 0 }),
    ...(sync.compareAndSet && {
      compareAndSet: async (key, expected, next) => sync.compareAndSet?.(key, expected, next) ?? false,
    }),
    ...(sync.increment && { increment: async (key, delta, end) => sync.increment?.(key, delta, end) ?? 0 }),
    ...(sync.keys && { keys: (prefix) => iterate(() => sync.keys?.(prefix) ?? []) }),
    ...(sync.stats && { stats: async () => sync.stats?.() ?? {} }),
    ...(sync.listen && { listen: (listener) => sync.listen?.(listener) ?? (() => {}) }),
    ...(sync.close && { close: async () => sync.close?.() }),
  }
}

async function* iterate(keys: () => Iterable<string>): AsyncIterable<string> {
  yield* keys()
}

/** The interface, with the `close` of its handle. */
function withClose(adapter: CacheBackend, backend: CacheBackend): CacheBackend {
  return backend.close ? { ...adapter, close: () => backend.close?.() ?? Promise.resolve() } : adapter
}
