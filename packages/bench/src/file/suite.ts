import type { Candidate, ResultRow, Suite, SuiteContext } from '../harness/suite.ts'
import type { OpenStore } from './contestant.ts'
import { diskcache } from './diskcache.ts'
import { openBackend, openCache } from './ours.ts'
import * as peers from './peers.ts'
import { openBetterSqlite3, openNodeSqlite } from './raw-sqlite.ts'
import { modest, type NamedScenario, scenarios } from './scenarios.ts'
import { measureScenario } from './workload.ts'

const whole = 'Cache on @cache/file'

function contender(
  quick: boolean,
  name: string,
  packages: readonly string[],
  open: OpenStore,
  rows: readonly string[] = scenarios(quick).map(({ row }) => row.name),
): Candidate {
  return {
    name,
    packages,
    rows,
    measure: (row) => measureScenario(scenarios(quick).find((one) => one.row.name === row) as NamedScenario, open),
  }
}

function candidates({ quick }: SuiteContext): Candidate[] {
  const python = diskcache(quick)
  return [
    contender(quick, 'raw node:sqlite', [], openNodeSqlite),
    contender(quick, 'raw better-sqlite3', ['better-sqlite3'], openBetterSqlite3),
    contender(quick, whole, ['@cache/core', '@cache/file'], openCache),
    contender(quick, '@cache/file alone', ['@cache/file'], openBackend),
    contender(quick, 'lmdb', ['lmdb'], peers.openLmdb),
    ...(python === undefined ? [] : [python]),
    contender(quick, 'Keyv on @keyv/sqlite', ['keyv', '@keyv/sqlite'], peers.openKeyvSqlite, modest),
    contender(quick, 'unstorage, fs driver', ['unstorage'], peers.openUnstorage, modest),
    contender(quick, 'BentoCache, file driver', ['bentocache'], peers.openBento, modest),
    contender(quick, 'keyv-file, a file per key', ['keyv-file'], peers.openKeyvFileSeparated, modest),
    contender(quick, 'cacache', ['cacache'], peers.openCacache, modest),
    // It writes the whole store anew for each set, so it takes part only in rows with few single sets.
    contender(quick, 'keyv-file, one file', ['keyv-file'], peers.openKeyvFile, [
      'get',
      'getMany, 100 keys',
      'bytes on disk',
    ]),
  ]
}

/** How many times slower than raw SQLite the whole cache may be. */
const goal = 1.5
const held = [/^get/, /^set, 100 at once/]

function conclude(results: readonly ResultRow[]): string[] {
  return results.flatMap(({ row, candidate, ratio }) => {
    if (candidate !== whole) return []
    if (row.startsWith('open')) return [`${row}: ${ratio.toFixed(1)} times raw node:sqlite`]
    if (!held.some((pattern) => pattern.test(row))) return []
    const times = 1 / ratio
    return [
      `${row}: raw node:sqlite is ${times.toFixed(2)} times as fast, goal ${goal}: ${times <= goal ? 'met' : 'NOT met'}`,
    ]
  })
}

export const suite: Suite = {
  name: 'file',
  says: 'Stores on disk, texts of 200 bytes, calls per second by the wall clock. The raw tables have no lifetimes, versions, limits or checksums; their sets of one tick share a transaction.',
  baseline: 'raw node:sqlite',
  rows: ({ quick }) => scenarios(quick).map(({ row }) => row),
  candidates,
  repetitions: 3,
  timeLimit: 1_800_000,
  conclude,
}
