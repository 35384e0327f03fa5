import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Contestant } from './contestant.ts'

interface RawStatement {
  run(...values: unknown[]): unknown
  get(...values: unknown[]): unknown
}

interface RawDatabase {
  exec(sql: string): unknown
  prepare(sql: string): RawStatement
  close(): unknown
}

/**
 * A table of keys and values and nothing else: no lifetimes, versions, limits, checksums. Sets of one tick share a
 * transaction.
 */
async function rawStore(open: (path: string) => RawDatabase, dir: string): Promise<Contestant> {
  await mkdir(dir, { recursive: true })
  const database = open(join(dir, 'raw.sqlite'))
  database.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -16000')
  database.exec('create table if not exists item (key text primary key, value text)')
  const read = database.prepare('select value from item where key = ?')
  const write = database.prepare(
    'insert into item values (?, ?) on conflict (key) do update set value = excluded.value',
  )
  let waiting: { key: string; value: string; done: () => void }[] = []

  const flush = (): void => {
    const all = waiting
    waiting = []
    database.exec('begin immediate')
    for (const { key, value } of all) write.run(key, value)
    database.exec('commit')
    for (const { done } of all) done()
  }
  return {
    get: (key) => (read.get(key) as { value: string } | undefined)?.value,
    set: (key, value) =>
      new Promise<void>((done) => {
        waiting.push({ key, value, done })
        if (waiting.length === 1) process.nextTick(flush)
      }),
    getMany: (keys) => {
      database.exec('begin')
      const found = keys.map((key) => (read.get(key) as { value: string } | undefined)?.value)
      database.exec('commit')
      return found
    },
    close: () => database.close(),
  }
}

export async function openNodeSqlite(dir: string): Promise<Contestant> {
  const { DatabaseSync } = await import('node:sqlite')
  return rawStore((path) => new DatabaseSync(path) as unknown as RawDatabase, dir)
}

export async function openBetterSqlite3(dir: string): Promise<Contestant> {
  const { default: Database } = (await import('better-sqlite3' as string)) as {
    default: new (path: string) => RawDatabase
  }
  return rawStore((path) => new Database(path), dir)
}
