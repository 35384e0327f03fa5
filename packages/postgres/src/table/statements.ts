import { bytesStatement, quoteLiteral, type Statement, statement } from '../connections/statement.ts'

/**
 * Every SQL text that the backend runs on its table. Every column comes as text, whatever parsers of types an application
 * has set.
 *
 * `$1` is the instant in milliseconds where a clock was handed in, and null where the server's clock rules: the clocks of
 * two machines are then never compared (RACES R16). Batches go through the table in the order of their keys, so that two
 * of them never wait for each other in a circle.
 */
export interface Statements {
  readonly getOne: Statement
  readonly getMany: Statement
  readonly put: Statement
  readonly putOne: Statement
  readonly putIfAbsent: Statement
  readonly putOneIfAbsent: Statement
  readonly replace: Statement
  readonly replaceOne: Statement
  readonly remove: Statement
  readonly removeOne: Statement
  readonly removeVersions: Statement
  readonly hold: Statement
  readonly release: Statement
  readonly increment: Statement
  readonly clear: Statement
  readonly keys: Statement
  readonly raw: Statement
  readonly replaceDamaged: Statement
  readonly pages: Statement
  readonly measure: Statement
  readonly sweep: Statement
  readonly evict: Statement
}

/** The current instant; `statement_timestamp()` because `now()` stands still in a transaction of the application's. */
export const now: string =
  "coalesce(timestamptz 'epoch' + $1::bigint * interval '1 millisecond', statement_timestamp())"

/** Whether the row `t` has not expired. */
export const live: string = `(t.expires_at is null or t.expires_at > ${now})`

/** A time limit for waiting for locked rows, for this statement alone: no setting stays behind on the connection. Null: none. */
const lockTimeout = (parameter: string): string =>
  `(select case when ${parameter}::text is null then '' else set_config('lock_timeout', ${parameter}, true) end) is not null`

const rowColumns = 'key, long_key, version, value, number, placeholder, expires_at, written_at'

/** The rows of a batch: `$3` to `$9` are arrays of their columns, `life` in milliseconds from now. */
const rows = `unnest($3::text[], $4::text[], $5::text[], $6::bytea[], $7::bigint[], $8::boolean[], $9::bigint[])
  as r (key, long_key, version, value, number, placeholder, life)`

const newRows = `select r.key, r.long_key, r.version, r.value, r.number, r.placeholder,
  ${now} + r.life * interval '1 millisecond', ${now}
  from ${rows} where ${lockTimeout('$2')} order by r.key collate "C"`

/** The same for a single row, whose columns are plain parameters. */
const newRow = `select $3::text, $4::text, $5::text, $6::bytea, $7::bigint, $8::boolean,
  ${now} + $9::bigint * interval '1 millisecond', ${now} where ${lockTimeout('$2')}`

const overwrite = `long_key = excluded.long_key, version = excluded.version, value = excluded.value,
  number = excluded.number, placeholder = excluded.placeholder, expires_at = excluded.expires_at,
  written_at = excluded.written_at`

/** A row that counts as absent: expired, or of another long key with the same hash. */
const absent = `(not ${live} or t.long_key is distinct from excluded.long_key)`

/** The greatest exact whole number of JavaScript. */
const most = Number.MAX_SAFE_INTEGER

/** Whether the row `t` is this backend's: `$3` and `$4` bound its prefix. */
function own(isRoot: boolean): string {
  // Under an empty prefix the table's other prefixes lie among the keys; only their keys hold an end of prefix.
  return `t.key >= $3 and ($4::text is null or t.key < $4)${isRoot ? " and strpos(t.key, E'\\\\/') = 0" : ''}`
}

function scan(table: string, isRoot: boolean): string {
  return `select t.key, coalesce(t.long_key, t.key) as whole from ${table} t
    where ${own(isRoot)} and coalesce(t.long_key, t.key) >= $5 and ($6::text is null or coalesce(t.long_key, t.key) < $6)`
}

function clear(table: string, isRoot: boolean): Statement {
  return statement(`with victims as (${scan(table, isRoot)} and ${lockTimeout('$1')} order by t.key limit $2 for update),
    gone as (delete from ${table} t using victims v where t.key = v.key)
    select count(*)::text, max(key) from victims`)
}

function keys(table: string, isRoot: boolean): Statement {
  return statement(`${scan(table, isRoot)} and ${live} and not t.placeholder order by t.key limit $2`)
}

/**
 * The statements for the table, whose name is quoted already. `isRoot` says that the backend has no prefix, so that it must
 * leave out the keys of others.
 */
export function statementsFor(table: string, isRoot: boolean): Statements {
  // A counter's number and version in one column, which is null for all other items: columns cost.
  const columns = (value: string): string => `coalesce(t.long_key, t.key), ${value}, t.number || ' ' || t.version`
  return {
    getOne: bytesStatement(
      1,
      't.value',
      (value) => `select ${columns(value)} from ${table} t where t.key = $2 and ${live}`,
    ),

    // A subquery hides the array's length, so that the planner takes one plan for all lengths and keeps it.
    getMany: bytesStatement(
      1,
      't.value',
      (value) => `select ${columns(value)} from ${table} t where t.key = any ((select $2::text[])::text[]) and ${live}`,
    ),

    put: statement(`insert into ${table} as t (${rowColumns}) ${newRows} on conflict (key) do update set ${overwrite}`),

    putOne: statement(
      `insert into ${table} as t (${rowColumns}) ${newRow} on conflict (key) do update set ${overwrite}`,
    ),

    putIfAbsent: statement(`insert into ${table} as t (${rowColumns}) ${newRows}
      on conflict (key) do update set ${overwrite} where ${absent} returning t.key`),

    putOneIfAbsent: statement(`insert into ${table} as t (${rowColumns}) ${newRow}
      on conflict (key) do update set ${overwrite} where ${absent} returning t.key`),

    // A version stands for one item of one key, so nothing else needs to be compared. `$10` are the expected versions.
    replace: statement(`with r as (
        select * from unnest($3::text[], $4::text[], $5::text[], $6::bytea[], $7::bigint[], $8::boolean[], $9::bigint[],
          $10::text[]) as r (key, long_key, version, value, number, placeholder, life, expected)
      ), locked as (
        select t.key from ${table} t where t.key = any ((select $3::text[])::text[]) and ${lockTimeout('$2')}
        order by t.key for update
      )
      update ${table} t set long_key = r.long_key, version = r.version, value = r.value, number = r.number,
        placeholder = r.placeholder, expires_at = ${now} + r.life * interval '1 millisecond', written_at = ${now}
      from r join locked l on l.key = r.key where t.key = r.key and t.version = r.expected and ${live} returning t.key`),

    replaceOne: statement(`update ${table} t set long_key = $4::text, version = $5::text, value = $6::bytea,
        number = $7::bigint, placeholder = $8::boolean,
        expires_at = ${now} + $9::bigint * interval '1 millisecond', written_at = ${now}
      where t.key = $3::text and t.version = $10::text and ${live} and ${lockTimeout('$2')} returning t.key`),

    // Returns each row that was removed, and whether a live value was there.
    remove: statement(`with locked as (
        select t.key from ${table} t where t.key = any ((select $3::text[])::text[]) and ${lockTimeout('$2')}
        order by t.key for update
      )
      delete from ${table} t using locked l where t.key = l.key
      returning t.key, coalesce(t.long_key, t.key), (${live} and not t.placeholder)::text`),

    removeOne: statement(`delete from ${table} t where t.key = $3::text and ${lockTimeout('$2')}
      returning t.key, coalesce(t.long_key, t.key), (${live} and not t.placeholder)::text`),

    removeVersions: statement(`with locked as (
        select t.key, e.expected from ${table} t join unnest($3::text[], $4::text[]) as e (key, expected) on e.key = t.key
        where ${lockTimeout('$2')} order by t.key for update of t
      )
      delete from ${table} t using locked l where t.key = l.key and t.version = l.expected and ${live} returning t.key`),

    // A row that is made and removed in one transaction: until it ends, whoever wants to store under that key waits. It has
    // expired, so that it is nothing to anybody where the removal is not reached.
    hold: statement(`insert into ${table} as t (key, version, value, expires_at)
      select k.key, 'held', '', '-infinity' from unnest($1::text[]) as k (key) order by k.key collate "C"
      on conflict (key) do nothing returning t.key`),
    release: statement(`delete from ${table} t where t.key = any ((select $1::text[])::text[])`),

    // What counts as absent starts from 0 with its own deadline; a row that is refused is not returned.
    increment: bytesStatement(
      2,
      't.value',
      (value) => `insert into ${table} as t (${rowColumns}) ${newRows}
      on conflict (key) do update set long_key = excluded.long_key, version = excluded.version,
        number = case when ${absent} or t.placeholder then excluded.number else t.number + excluded.number end,
        value = case when ${absent} or t.placeholder then excluded.value else t.value end,
        expires_at = case when ${absent} or t.placeholder then excluded.expires_at else t.expires_at end,
        placeholder = false, written_at = excluded.written_at
      where ${absent} or t.placeholder or (t.number + excluded.number between -${most} and ${most})
      returning t.key, t.number::text, ${value}`,
    ),

    clear: clear(table, isRoot),
    keys: keys(table, isRoot),

    raw: bytesStatement(
      1,
      't.value',
      (value) => `select ${columns(value)}, t.version, t.number::text from ${table} t where t.key = $2 and ${live}`,
    ),

    // `$10` and `$11` are the version and the bytes that could not be read.
    replaceDamaged: statement(`with r as (select * from ${rows} where ${lockTimeout('$2')})
      update ${table} t set long_key = r.long_key, version = r.version, value = r.value, number = r.number,
        placeholder = r.placeholder, expires_at = ${now} + r.life * interval '1 millisecond', written_at = ${now}
      from r where t.key = r.key and t.version = $10 and t.value = $11 returning t.key`),

    pages: statement(`select (pg_relation_size(${quoteLiteral(table)}) / current_setting('block_size')::bigint)::text`),

    // A sample of `$2` percent of the table's pages, read in their order; of 100 percent it is exact.
    measure: statement(`select (count(*) filter (where ${live} and not t.placeholder))::text,
      coalesce(sum(octet_length(t.key) + octet_length(t.value) + coalesce(octet_length(t.long_key), 0)), 0)::text
      from ${table} t tablesample system ($2::real) where ${own(isRoot)}`),

    // Pages from `$5` on and before `$6`. Rows that another cleaner has in hand are left to it.
    sweep: statement(`delete from ${table} v where v.ctid = any (array(
        select t.ctid from ${table} t where t.ctid >= $5::text::tid and t.ctid < $6::text::tid
        and t.expires_at <= ${now} and ${own(isRoot)} limit $2 for update skip locked
      )) returning coalesce(v.long_key, v.key)`),

    // Counts a sample of `$2` percent of the pages; where it comes to more than `$5` rows or `$6` bytes, removes the oldest
    // of it, and before them what has expired, down to `$7` rows and `$8` bytes, but `$9` rows at most. One process at a
    // time: several that found the same excess would each remove all of it.
    evict: statement(`with sample as materialized (
        select t.ctid as place, ${live} as live, t.written_at,
        octet_length(t.key) + octet_length(t.value) + coalesce(octet_length(t.long_key), 0) as bytes
        from ${table} t tablesample system ($2::real) where ${own(isRoot)}
        and (select pg_try_advisory_xact_lock(hashtext(${quoteLiteral(`${table} evict`)}), hashtext($3)))
      ), total as (
        select count(*) * 100 / $2::real as rows, coalesce(sum(bytes), 0) * 100 / $2::real as bytes from sample
      ), excess as (
        select least($9::float, greatest(
          case when rows > $5::float then rows - $7::float else 0 end,
          case when bytes > $6::float then ceil((bytes - $8::float) * rows / bytes) else 0 end))::bigint as rows from total
      ), victims as (
        select t.ctid as place from ${table} t where t.ctid = any (array(
          select place from sample order by live, written_at limit (select rows from excess))) for update skip locked
      ), gone as (
        delete from ${table} t where t.ctid = any (array(select place from victims))
        returning coalesce(t.long_key, t.key) as whole, ${live} as live
      )
      select total.rows::text, total.bytes::text, gone.whole, gone.live::text from total left join gone on true`),
  }
}
