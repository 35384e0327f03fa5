import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Contestant } from './contestant.ts'

export async function openLmdb(dir: string): Promise<Contestant> {
  const { open } = await import('lmdb')
  const database = open<string, string>({ path: dir })
  return {
    get: (key) => database.get(key),
    // Without `flushed` it acknowledges a write that the operating system has, like the other stores.
    set: (key, value) => database.put(key, value),
    getMany: (keys) => database.getMany([...keys]),
    close: () => database.close(),
  }
}

export async function openCacache(dir: string): Promise<Contestant> {
  const { default: cacache } = (await import('cacache' as string)) as {
    default: {
      put(cache: string, key: string, data: string): Promise<unknown>
      get(cache: string, key: string): Promise<{ data: Buffer }>
    }
  }
  return {
    get: async (key) => (await cacache.get(dir, key)).data.toString(),
    set: (key, value) => cacache.put(dir, key, value),
    close: () => undefined,
  }
}

async function openKeyvFileStore(filename: string, separatedFile: boolean): Promise<Contestant> {
  const { KeyvFile } = await import('keyv-file')
  const store = new KeyvFile({ filename, separatedFile, writeDelay: 1 })
  return {
    get: (key) => store.get(key),
    set: (key, value) => store.set(key, value, 3_600_000),
    close: () => store.disconnect(),
  }
}

export async function openKeyvFile(dir: string): Promise<Contestant> {
  await mkdir(dir, { recursive: true })
  return openKeyvFileStore(join(dir, 'store.json'), false)
}

export function openKeyvFileSeparated(dir: string): Promise<Contestant> {
  return openKeyvFileStore(dir, true)
}

export async function openKeyvSqlite(dir: string): Promise<Contestant> {
  const [{ Keyv }, { KeyvSqlite }] = await Promise.all([import('keyv'), import('@keyv/sqlite')])
  await mkdir(dir, { recursive: true })
  const store = new KeyvSqlite({ uri: `sqlite://${join(dir, 'keyv.sqlite')}`, driver: 'node:sqlite', wal: true })
  const keyv = new Keyv({ store: store as never, ttl: 3_600_000 })
  return {
    get: (key) => keyv.get(key),
    set: (key, value) => keyv.set(key, value),
    getMany: (keys) => keyv.getMany([...keys]) as Promise<unknown[]>,
    close: () => keyv.disconnect(),
  }
}

export async function openBento(dir: string): Promise<Contestant> {
  const [{ BentoCache, bentostore }, { fileDriver }] = await Promise.all([
    import('bentocache'),
    import('bentocache/drivers/file'),
  ])
  const store = bentostore().useL2Layer(fileDriver({ directory: dir, pruneInterval: false }))
  const cache = new BentoCache({ default: 'store', ttl: '1h', stores: { store } })
  return {
    get: (key) => cache.get({ key }),
    set: (key, value) => cache.set({ key, value }),
    close: () => cache.disconnectAll(),
  }
}

export async function openUnstorage(dir: string): Promise<Contestant> {
  const [{ createStorage }, { default: fsDriver }] = await Promise.all([
    import('unstorage'),
    import('unstorage/drivers/fs'),
  ])
  const storage = createStorage({ driver: fsDriver({ base: dir }) })
  return {
    get: (key) => storage.getItemRaw(key).then((value: unknown) => value?.toString()),
    set: (key, value) => storage.setItemRaw(key, value),
    close: () => storage.dispose(),
  }
}
