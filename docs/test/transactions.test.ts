import { Cache } from '@cache/core'
import { LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { PostgresBackend, PostgresBus } from '@cache/postgres'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freshPrefix, postgresUrl, startServers, stopServers } from './real-backends.ts'

const closing: (() => Promise<unknown>)[] = []

beforeAll(startServers, 300_000)
afterAll(stopServers, 60_000)
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function begun(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: postgresUrl() })
  await client.connect()
  closing.push(() => client.end())
  await client.query('begin')
  return client
}

/** A process on one common table: what it has far, and the same with a memory layer and a bus. */
function opened(prefix: string): { readonly plain: Cache; readonly layered: Cache; readonly bus: PostgresBus } {
  const url = postgresUrl()
  const bus = new PostgresBus({ url, channel: prefix })
  const near = new MemoryBackend({ maxEntries: 100 })
  const backend = new LayeredBackend({ layers: [near, new PostgresBackend({ url, prefix })], bus })
  const layered = new Cache({ backend, ttl: '1h' })
  const plain = new Cache({ backend: new PostgresBackend({ url, prefix }), ttl: '1h' })
  closing.push(
    () => plain.close(),
    () => layered.close(),
  )
  return { plain, layered, bus }
}

/** Resolves when the cache answers with `expected`: announcements take the time that they take. */
async function answers(cache: Cache, key: string, expected: unknown): Promise<void> {
  const until = performance.now() + 10_000
  while ((await cache.get(key)) !== expected) {
    if (performance.now() > until) throw new Error(`'${key}' never became ${String(expected)}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('Cache.inTransaction on PostgreSQL', () => {
  for (const [what, invalidate] of Object.entries({
    delete: (cache: Cache): Promise<unknown> => cache.delete('k'),
    deleteByTag: (cache: Cache) => cache.deleteByTag('t'),
    deleteMany: (cache: Cache): Promise<unknown> => cache.deleteMany(['k', 'none']),
  })) {
    it(`${what} takes effect with the commit, and not at all when it is rolled back`, async () => {
      const { plain } = opened(freshPrefix())
      await plain.set('k', 'old', { tags: ['t'] })
      const first = await begun()
      await invalidate(plain.inTransaction(first))
      await first.query('rollback')
      expect(await plain.get('k')).toBe('old')
      const second = await begun()
      await invalidate(plain.inTransaction(second))
      expect(await plain.get('k')).toBe('old')
      await second.query('commit')
      expect(await plain.get('k')).toBe(undefined)
    })

    it(`${what} reaches the near copies of every process with the commit`, async () => {
      const prefix = freshPrefix()
      const [one, two] = [opened(prefix).layered, opened(prefix).layered]
      await one.set('k', 'old', { tags: ['t'] })
      for (const cache of [one, two]) expect(await cache.get('k')).toBe('old')
      const client = await begun()
      await invalidate(one.inTransaction(client))
      for (const cache of [one, two]) expect(await cache.get('k')).toBe('old')
      await client.query('commit')
      for (const cache of [one, two]) await answers(cache, 'k', undefined)
    })
  }

  for (const before of ['nothing', 'a value']) {
    for (const begins of ['before the delete', 'after the delete']) {
      it(`R3: a load that begins ${begins} of ${before} in an open transaction does not store the old row`, async () => {
        const prefix = freshPrefix()
        const [{ plain: writer }, { plain: loader }] = [opened(prefix), opened(prefix)]
        const load = await rows(prefix)
        if (before === 'a value') await writer.set('k', 'older')
        const client = await begun()
        await client.query(`update ${pg.escapeIdentifier(prefix)} set name = 'new'`)
        const committed = pending<void>()
        const read = pending<string>()
        const loading = (): Promise<string> =>
          loader.getOrSet(
            'k',
            async () => {
              const name = await load()
              read.resolve(name)
              await committed.promise
              return name
            },
            { forceRefresh: true },
          )
        const early = begins === 'before the delete' ? loading() : undefined
        if (early !== undefined) expect(await read.promise).toBe('old')
        await writer.inTransaction(client).delete('k')
        const result = early ?? loading()
        // Long enough for a load that nothing holds up to have read the old row.
        for (let n = 0; n < 20; n += 1) await loader.get('another')
        await client.query('commit')
        committed.resolve()
        await result
        expect(await writer.getOrSet('k', load)).toBe('new')
      })
    }
  }
})

/** A table of the application with one row; what it resolves to reads it. */
async function rows(name: string): Promise<() => Promise<string>> {
  const database = new pg.Pool({ connectionString: postgresUrl() })
  closing.push(() => database.end())
  const table = pg.escapeIdentifier(name)
  await database.query(`create table ${table} as select 'old' as name`)
  closing.push(() => database.query(`drop table ${table}`))
  return async () => (await database.query(`select name from ${table}`)).rows[0].name
}

function pending<Value>(): { readonly promise: Promise<Value>; readonly resolve: (value: Value) => void } {
  let resolve: (value: Value) => void = () => {}
  const promise = new Promise<Value>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
