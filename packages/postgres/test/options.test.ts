import { cacheErrorCode } from '@cache/core/backend'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { migrationSql, PostgresBackend, type PostgresBackendOptions, PostgresBus } from '../src/index.ts'

const url = 'postgres://nobody@127.0.0.1:1/none'

function refusal(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    expect(cacheErrorCode(error)).toBe('INVALID_ARGUMENT')
    return (error as Error).message
  }
  throw new Error('it was not refused')
}

it.each<[string, object, RegExp]>([
  ['no source', {}, /exactly one of 'url', 'pool', 'client'/],
  ['two sources', { url, pool: new pg.Pool() }, /exactly one of/],
  ['an unknown option', { url, tabel: 'x' }, /unknown option 'tabel'/],
  ['another kind of URL', { url: 'mysql://secret@host/db' }, /^(?!.*secret).*begins with 'postgres:\/\/'/],
  ['something else than a pool', { pool: {} }, /pool must be a pool of pg/],
  ['something else than a client', { client: {} }, /client must be a client of pg/],
  ['an empty table', { url, table: '' }, /table must be a string that is not empty/],
  ['a name that PostgreSQL would cut', { url, schema: 'é'.repeat(32) }, /schema must be a name of at most 63 bytes/],
  ['a NUL in a name', { url, table: 'a\0b' }, /table must be a name/],
  ['a lone surrogate in a name', { url, table: 'a\ud800' }, /table must be a name/],
  ['no time', { url, timeout: 0 }, /timeout must be between 1 ms and 24 days/],
  ['a duration that is none', { url, connectTimeout: 'soon' }, /connectTimeout must be/],
  ['no connections', { url, maxConnections: 0 }, /maxConnections must be a whole number between 1 and 1000/],
  ['a limit of nothing', { url, maxEntries: 0 }, /maxEntries must be a whole number of 1 or more/],
  ['half a byte', { url, maxBytes: 0.5 }, /maxBytes must be a whole number/],
  ['a flag that is none', { url, prepare: 'no' }, /prepare must be true or false/],
  ['a pipeline through a foreign pool', { pool: new pg.Pool(), pipeline: true }, /pipeline must be false/],
  ['a prefix that is too long', { url, prefix: 'p'.repeat(101) }, /prefix must be a string of at most 100/],
  ['a clock that is none', { url, clock: {} }, /clock must be an object with a function now/],
])('%s is refused before anything is opened', (_, options, message) => {
  expect(refusal(() => new PostgresBackend(options as PostgresBackendOptions))).toMatch(message)
})

it('options of the bus are checked, too', () => {
  expect(refusal(() => new PostgresBus({ url, channel: '' }))).toMatch(/channel must be/)
  expect(refusal(() => new PostgresBus({ url, heartbeat: -1 }))).toMatch(/heartbeat must be/)
  expect(refusal(() => new PostgresBus({} as { url: string }))).toMatch(/exactly one of/)
})

describe('migrationSql', () => {
  it('refuses unknown options and what a backend would not take', () => {
    for (const options of [
      5,
      { bogus: 1 },
      { schema: '' },
      { table: 7 },
      { table: 'x'.repeat(64) },
      { unlogged: 'no' },
    ]) {
      expect(() => migrationSql(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    }
  })
})
