import { checkOptions } from '@cache/core/backend'
import { quoteIdentifier, quoteLiteral } from '../connections/statement.ts'
import { resolveSchema } from '../options.ts'

/** Which table, and how it is made. */
export interface SchemaOptions {
  /** Default `'public'`. It is made when it is not there. */
  readonly schema?: string
  /** Default `'cache'`. */
  readonly table?: string
  /** Writes skip the write-ahead log: faster, and empty after a crash of the server. Read when the table is made. Default false. */
  readonly unlogged?: boolean
}

/** The version of the table that this package works with. */
export const schemaVersion = 1

/** Lets one bring a table to its version while the others wait, until its transaction ends. */
export const migrationLock = "select pg_advisory_xact_lock(hashtext('@cache/postgres'))"

const marker = '@cache/postgres schema '

/** What the table's comment says, from which the version is read. */
export function versionComment(version: number): string {
  return `${marker}${version}`
}

/** The version that a table's comment tells; 0 for a table without such a comment. */
export function versionOfComment(comment: string | null): number {
  if (comment === null || !comment.startsWith(marker)) return 0
  const version = Number(comment.slice(marker.length))
  return Number.isInteger(version) && version > 0 ? version : 0
}

/** `"schema"."table"`. */
export function quotedTable(options: SchemaOptions): string {
  return `${quoteIdentifier(options.schema ?? 'public')}.${quoteIdentifier(options.table ?? 'cache')}`
}

/**
 * The statements that bring the table from `version` to the current one, as SQL for a transaction. Each step is written
 * once and never changed afterwards: a table of any age passes through the same steps.
 */
export function migrationSteps(options: SchemaOptions = {}, version = 0): readonly string[] {
  const steps = [firstVersion(options)]
  return steps.slice(version)
}

/**
 * The whole migration as plain SQL, for those who run migrations themselves. Running it again changes nothing. Throws
 * `INVALID_ARGUMENT` for unknown options and names that the backend would not take.
 */
export function migrationSql(options: SchemaOptions = {}): string {
  checkOptions(options, ['schema', 'table', 'unlogged'], 'migrationSql')
  const steps = migrationSteps(resolveSchema(options, 'migrationSql'))
  return `-- The table of @cache/postgres, schema version ${schemaVersion}.\nbegin;\n-- One after the other, where several run it at once.\n${migrationLock};\n\n${steps.join('\n')}\ncommit;\n`
}

function firstVersion(options: SchemaOptions): string {
  const schema = quoteIdentifier(options.schema ?? 'public')
  const table = quotedTable(options)
  const comment = quoteLiteral(versionComment(1))
  // `create schema if not exists` asks for the right to create one even where it is there. The block is a literal and not
  // between dollars, which the name may hold, too.
  const block = `begin
  if to_regnamespace(${quoteLiteral(schema)}) is null then create schema ${schema}; end if;
end`
  const createSchema = (options.schema ?? 'public') === 'public' ? '' : `do ${quoteLiteral(block)};\n\n`
  return `${createSchema}create ${options.unlogged ? 'unlogged ' : ''}table if not exists ${table} (
  -- Wide columns first: no bytes are lost to alignment.
  expires_at timestamptz,
  written_at timestamptz not null default statement_timestamp(),
  -- The value where it is a whole number: counters are added to here, and \`value\` keeps the rest of the item.
  number bigint,
  -- An item without a value yet: it marks a load that is running.
  placeholder boolean not null default false,
  key text collate "C" not null primary key,
  version text collate "C" not null,
  value bytea not null,
  -- The whole key where it is too long for an index entry; \`key\` then ends in its hash.
  long_key text collate "C"
) with (
  -- Room on every page for new versions of its rows, which then need no new index entry (HOT updates).
  fillfactor = 80,
  -- Dead rows are a cache's daily work: vacuum after 1 % of them, not after 20 %, and do not pause.
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0,
  toast.autovacuum_vacuum_scale_factor = 0.01,
  toast.autovacuum_vacuum_cost_delay = 0
);
-- Fails where the name is that of another kind of table, which then stays as it was.
select expires_at, written_at, number, placeholder, key, version, value, long_key from ${table} limit 0;
comment on table ${table} is ${comment};
`
}
