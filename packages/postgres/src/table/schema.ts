import { checkOptions } from '@cache/core/backend'
import { quoteIdentifier, quoteLiteral } from '../connections/quoting.ts'
import { checkFlag, checkIdentifier } from '../option-checks.ts'

/** The table, and the way to create it. */
export interface SchemaOptions {
  /** Default `'public'`. A missing schema is created. */
  readonly schema?: string | undefined
  /** Default `'cache'`. */
  readonly table?: string | undefined
  /**
   * Whether the table is created UNLOGGED: writes are faster, and the table is empty after a crash of the server.
   * Default false.
   */
  readonly unlogged?: boolean | undefined
}

export const schemaOptionNames: readonly string[] = ['schema', 'table', 'unlogged']

/** Checks the options and fills in the defaults. Throws `INVALID_ARGUMENT`. */
export function resolveSchema(options: SchemaOptions, method: string): Required<SchemaOptions> {
  return {
    schema: checkIdentifier(options.schema ?? 'public', 'schema', method),
    table: checkIdentifier(options.table ?? 'cache', 'table', method),
    unlogged: checkFlag(options.unlogged, false, 'unlogged', method),
  }
}

/** The version of the table that this package uses. */
export const schemaVersion = 1

/** Makes other migrations wait until the transaction of this one ends. */
export const migrationLock = "select pg_advisory_xact_lock(hashtext('@cache/postgres'))"

const marker = '@cache/postgres schema '

/** The table's comment, which tells the version. */
export function versionComment(version: number): string {
  return `${marker}${version}`
}

/** The version in a table's comment; 0 for a table without such a comment. */
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
 * The statements that migrate the table from `version` to the current version, as SQL for a transaction. A published
 * step never changes, so a table of any age passes through the same steps.
 */
export function migrationSteps(options: SchemaOptions = {}, version = 0): readonly string[] {
  const steps = [firstVersion(options)]
  return steps.slice(version)
}

/**
 * The whole migration as plain SQL, for applications that run migrations themselves. Running it again changes nothing.
 * Throws `INVALID_ARGUMENT` for unknown options and for names that the backend refuses.
 */
export function migrationSql(options: SchemaOptions = {}): string {
  checkOptions(options, schemaOptionNames, 'migrationSql')
  const steps = migrationSteps(resolveSchema(options, 'migrationSql'))
  return `-- The table of @cache/postgres, schema version ${schemaVersion}.\nbegin isolation level read committed;\n-- Concurrent migrations run one after the other.\n${migrationLock};\n\n${steps.join('\n')}\ncommit;\n`
}

function firstVersion(options: SchemaOptions): string {
  const schema = quoteIdentifier(options.schema ?? 'public')
  const table = quotedTable(options)
  const comment = quoteLiteral(versionComment(1))
  // `create schema if not exists` demands the right to create one even where it exists. The block is a literal instead
  // of dollar-quoted, because a name may contain dollars too.
  const block = `begin
  if to_regnamespace(${quoteLiteral(schema)}) is null then create schema ${schema}; end if;
end`
  const createSchema = (options.schema ?? 'public') === 'public' ? '' : `do ${quoteLiteral(block)};\n\n`
  return `${createSchema}create ${options.unlogged ? 'unlogged ' : ''}table if not exists ${table} (
  -- Wide columns first: no bytes are lost to alignment.
  expires_at timestamptz,
  written_at timestamptz not null default statement_timestamp(),
  -- The value where it is a whole number: SQL adds to counters here; \`value\` keeps the rest of the item.
  number bigint,
  -- An item without a value: it marks a running load.
  placeholder boolean not null default false,
  key text collate "C" not null primary key,
  version text collate "C" not null,
  value bytea not null,
  -- The whole key where it is too long for an index entry; \`key\` then ends with its hash.
  long_key text collate "C"
) with (
  -- Space on every page for new versions of its rows, which then need no new index entry (HOT updates).
  fillfactor = 80,
  -- A cache constantly produces dead rows: vacuum after 1 % of them, not after 20 %, and do not pause.
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0,
  toast.autovacuum_vacuum_scale_factor = 0.01,
  toast.autovacuum_vacuum_cost_delay = 0
);
-- Fails, and changes nothing, where the name belongs to another kind of table.
select expires_at, written_at, number, placeholder, key, version, value, long_key from ${table} limit 0;
comment on table ${table} is ${comment};
`
}
