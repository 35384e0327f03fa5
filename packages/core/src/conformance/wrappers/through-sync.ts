import { forwardCapabilities } from '../../backend-kit/forward-capabilities.ts'
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
    ...(harness.openOther && {
      openOther: (relation) => throughInterface(harness.openOther?.(relation) as CacheBackend),
    }),
    ...(harness.openLimited && {
      openLimited: (n: number) => throughInterface(harness.openLimited?.(n) as CacheBackend),
    }),
  }
}

/** A synchronous backend as an asynchronous one. A throw becomes a rejection. */
export function syncBackend(sync: SyncCacheBackend): CacheBackend {
  const adapter: CacheBackend = {
    name: sync.name,
    get: async (key) => sync.get(key),
    set: async (item) => sync.set(item),
    delete: async (key) => sync.delete(key),
    clear: async (prefix) => sync.clear(prefix),
  }
  forwardCapabilities<CacheBackend, SyncCacheBackend>(adapter, [sync], {
    getMany: (getMany) => async (keys) => getMany(keys),
    setMany: (setMany) => async (items) => setMany(items),
    deleteMany: (deleteMany) => async (keys) => deleteMany(keys),
    compareAndSet: (compareAndSet) => async (key, expected, next) => compareAndSet(key, expected, next),
    increment: (increment) => async (key, delta, end) => increment(key, delta, end),
    keys: (keys) => (prefix) => iterate(() => keys(prefix)),
    stats: (stats) => async () => stats(),
    describe: { absent: 'the asynchronous side of the backend has it' },
    listen: (listen) => listen,
    inTransaction: { absent: 'a synchronous backend has no transactions' },
    near: { absent: 'a synchronous backend has nothing farther away' },
    sync: { absent: 'the suite has to use the asynchronous methods of this adapter' },
    close: (close) => async () => close(),
  })
  return adapter
}

async function* iterate(keys: () => Iterable<string>): AsyncIterable<string> {
  yield* keys()
}

/** The interface, with the `close` of its handle. */
function withClose(adapter: CacheBackend, backend: CacheBackend): CacheBackend {
  return backend.close ? { ...adapter, close: () => backend.close?.() ?? Promise.resolve() } : adapter
}
