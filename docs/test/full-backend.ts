import type { BackendEvent, CacheBackend, NearReader, SyncCacheBackend } from '@cache/core'

/** A backend with every optional member of the protocol. */
export type FullBackend = Required<CacheBackend> & {
  readonly near: Required<NearReader>
  readonly sync: Required<SyncCacheBackend>
}

/** A full backend whose members do nothing but add their names to `calls`. */
export function fullBackend(name: string, calls: string[]): FullBackend {
  const note = <Result>(member: string, result: Result): Result => {
    calls.push(member)
    return result
  }
  const stop = (): void => {}
  return {
    name,
    get: async () => note('get', undefined),
    set: async () => note('set', undefined),
    delete: async () => note('delete', false),
    clear: async () => note('clear', undefined),
    getMany: async (keys) =>
      note(
        'getMany',
        keys.map(() => undefined),
      ),
    setMany: async () => note('setMany', undefined),
    deleteMany: async () => note('deleteMany', 0),
    compareAndSet: async () => note('compareAndSet', true),
    increment: async () => note('increment', 1),
    keys: () => note('keys', noKeys()),
    stats: async () => note('stats', {}),
    describe: () => note('describe', { kind: 'store', name, status: 'ok' }),
    listen: (_listener: (event: BackendEvent) => void, types) => note(`listen ${types}`, stop),
    inTransaction: () => note('inTransaction', fullBackend(name, calls)),
    near: {
      get: () => note('near.get', undefined),
      generation: () => note('near.generation', 1),
    },
    sync: {
      name,
      get: () => note('sync.get', undefined),
      set: () => note('sync.set', undefined),
      delete: () => note('sync.delete', false),
      clear: () => note('sync.clear', undefined),
      getMany: (keys) =>
        note(
          'sync.getMany',
          keys.map(() => undefined),
        ),
      setMany: () => note('sync.setMany', undefined),
      deleteMany: () => note('sync.deleteMany', 0),
      compareAndSet: () => note('sync.compareAndSet', true),
      increment: () => note('sync.increment', 1),
      keys: () => note('sync.keys', []),
      stats: () => note('sync.stats', {}),
      listen: (_listener, types) => note(`sync.listen ${types}`, stop),
      close: () => note('sync.close', undefined),
    },
    close: async () => note('close', undefined),
  }
}

async function* noKeys(): AsyncGenerator<string> {
  yield* []
}
