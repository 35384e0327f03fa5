import type { Candidate } from '../harness/suite.ts'
import type { Contestant } from '../server/workload.ts'
import { contender } from './contender.ts'

const ttl = 600_000

/** Plain texts: the baseline has no codec. */
function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** A named statement for each call on a pool of ten, as in careful code without a library. */
export async function openPlain(url: string): Promise<Contestant> {
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  await pool.query('create table plain (key text primary key, value text not null, expires_at timestamptz)')
  await pool.query('create table counters (key text primary key, count bigint not null)')
  const upsert = 'on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at'
  const live = '(expires_at is null or expires_at > now())'
  const end = (): Date => new Date(Date.now() + ttl)
  return {
    stored: text,
    get: async (key) => {
      const query = { name: 'get', text: `select value from plain where key = $1 and ${live}`, values: [key] }
      return (await pool.query(query)).rows[0]?.value
    },
    set: (key, value) =>
      pool.query({
        name: 'set',
        text: `insert into plain values ($1, $2, $3) ${upsert}`,
        values: [key, text(value), end()],
      }),
    increment: async (key) => {
      const counted = await pool.query({
        name: 'increment',
        text: 'insert into counters as c values ($1, 1) on conflict (key) do update set count = c.count + 1 returning count',
        values: [key],
      })
      return Number(counted.rows[0].count)
    },
    getMany: async (keys) => {
      const { rows } = await pool.query({
        name: 'getMany',
        text: `select key, value from plain where key = any($1) and ${live}`,
        values: [keys],
      })
      const found = new Map(rows.map((row) => [row.key, row.value]))
      return keys.map((key) => found.get(key))
    },
    setMany: (entries) => {
      // In the order of the keys, or two batches wait for each other in a circle.
      const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1))
      return pool.query({
        name: 'setMany',
        text: `insert into plain select key, value, $3 from unnest($1::text[], $2::text[]) as e (key, value) ${upsert}`,
        values: [sorted.map(([key]) => key), sorted.map(([, value]) => text(value)), end()],
      })
    },
    close: () => pool.end(),
  }
}

async function openKeyv(url: string): Promise<Contestant> {
  // The adapter is made for Keyv 5, which cacheable brings.
  const [{ Keyv }, { KeyvPostgres }] = await Promise.all([import('cacheable'), import('@keyv/postgres')])
  const keyv = new Keyv({ store: new KeyvPostgres({ uri: url }), ttl, namespace: 'keyv' })
  return {
    get: (key) => keyv.get(key),
    set: (key, value) => keyv.set(key, value),
    getMany: (keys) => keyv.get([...keys]) as Promise<unknown[]>,
    setMany: (entries) => keyv.setMany(entries.map(([key, value]) => ({ key, value }))),
    close: () => keyv.disconnect(),
  }
}

async function openBento(url: string): Promise<Contestant> {
  const [{ BentoCache, bentostore }, { kyselyDriver }, { Kysely, PostgresDialect }, { default: pg }] =
    await Promise.all([import('bentocache'), import('bentocache/drivers/kysely'), import('kysely'), import('pg')])
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  // The table that its driver makes by itself has a number for the deadline, and PostgreSQL refuses the date it is
  // given.
  await pool.query('create table bentocache (key varchar(255) primary key, value text, expires_at timestamptz)')
  const dialect = new PostgresDialect({ pool })
  const connection = new Kysely<never>({ dialect })
  const store = bentostore().useL2Layer(kyselyDriver({ connection: connection as never, autoCreateTable: false }))
  const cache = new BentoCache({ default: 'store', ttl, stores: { store } })
  return {
    get: (key) => cache.get({ key }),
    set: (key, value) => cache.set({ key, value }),
    close: () => cache.disconnectAll(),
  }
}

/** The client by itself, and the caches that others have put on it. */
export const peers: readonly Candidate[] = [
  contender('plain pg', ['pg'], openPlain),
  contender('bentocache', ['bentocache', 'kysely'], openBento, ['get', 'set']),
  contender('keyv', ['@keyv/postgres'], openKeyv, ['get', 'set', 'getMany', 'setMany']),
]
