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
  ['an options object without a source', {}, /exactly one of 'url', 'pool', 'client'/],
  ['an options object with two sources', { url, pool: new pg.Pool() }, /exactly one of/],
  ['an unknown option', { url, tabel: 'x' }, /unknown option 'tabel'/],
  ['a URL of another scheme', { url: 'mysql://secret@host/db' }, /^(?!.*secret).*begins with 'postgres:\/\/'/],
  ['a value that is no pool', { pool: {} }, /pool must be a pool of pg/],
  ['a value that is no client', { client: {} }, /client must be a client of pg/],
  ['an empty table', { url, table: '' }, /table must be a string that is not empty/],
  ['a name that PostgreSQL would cut', { url, schema: 'é'.repeat(32) }, /schema must be a name of at most 63 bytes/],
  ['a NUL in a name', { url, table: 'a\0b' }, /table must be a name/],
  ['a lone surrogate in a name', { url, table: 'a\ud800' }, /table must be a name/],
  ['a timeout of zero', { url, timeout: 0 }, /timeout must be between 1 ms and 24 days/],
  ['an invalid duration', { url, connectTimeout: 'soon' }, /connectTimeout must be/],
  [
    'a maximum of zero connections',
    { url, maxConnections: 0 },
    /maxConnections must be a whole number between 1 and 1000/,
  ],
  ['a limit of zero', { url, maxEntries: 0 }, /maxEntries must be a whole number of 1 or more/],
  ['a fractional number of bytes', { url, maxBytes: 0.5 }, /maxBytes must be a whole number/],
  ['an invalid flag', { url, prepare: 'no' }, /prepare must be true or false/],
  ['a pipeline through an injected pool', { pool: new pg.Pool(), pipeline: true }, /pipeline must be false/],
  ['a prefix that is too long', { url, prefix: 'p'.repeat(101) }, /prefix must be a string of at most 100/],
  ['an invalid clock', { url, clock: {} }, /clock must be an object with a function now/],
])('%s is refused before any connection opens', (_, options, message) => {
  expect(refusal(() => new PostgresBackend(options as PostgresBackendOptions))).toMatch(message)
})

it('a bus checks its options', () => {
  expect(refusal(() => new PostgresBus({ url, channel: '' }))).toMatch(/channel must be/)
  expect(refusal(() => new PostgresBus({ url, heartbeat: -1 }))).toMatch(/heartbeat must be/)
  expect(refusal(() => new PostgresBus({} as { url: string }))).toMatch(/exactly one of/)
})

describe('migrationSql', () => {
  it('refuses unknown options and all names that a backend refuses', () => {
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
