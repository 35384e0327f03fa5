import { quoteLiteral } from '../connections/quoting.ts'
import { bytesStatement, type Statement, statement } from '../connections/statement.ts'

/**
 * All SQL texts that the backend runs on its table. Every column comes as text, because an application may have set its
 * own type parsers.
 *
 * `$1` is the instant in milliseconds of an injected clock, or null for the server's clock: the clocks of two machines
 * are then never compared (RACES R16). Batches lock rows in the order of their keys, so two batches never deadlock.
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
  readonly lockMissing: Statement
  readonly unlockMissing: Statement
  readonly increment: Statement
  readonly clear: Statement
  readonly keys: Statement
  readonly find: Statement
  readonly replaceDamaged: Statement
  readonly pages: Statement
  readonly measure: Statement
  readonly removeExpired: Statement
  readonly evict: Statement
}

/** The current instant; `statement_timestamp()` because `now()` stands still in a transaction of the application. */
const now = "coalesce(timestamptz 'epoch' + $1::bigint * interval '1 millisecond', statement_timestamp())"

/** Whether the row `t` has not expired. */
const live = `(t.expires_at is null or t.expires_at > ${now})`

/** Limits the wait for locked rows until the statement's transaction ends; null leaves the limit of the session. */
const lockTimeout = (parameter: string): string =>
  `(select case when ${parameter}::text is null then ''
  else set_config('lock_timeout', ${parameter}, true) end) is not null`

const rowColumns = 'key, long_key, version, value, number, placeholder, expires_at, written_at'

/** The rows of a batch: `$3` to `$9` are arrays of their columns, `lifetime` in milliseconds from now. */
const rows = `unnest($3::text[], $4::text[], $5::text[], $6::bytea[], $7::bigint[], $8::boolean[], $9::bigint[])
  as r (key, long_key, version, value, number, placeholder, lifetime)`

const newRows = `select r.key, r.long_key, r.version, r.value, r.number, r.placeholder,
  ${now} + r.lifetime * interval '1 millisecond', ${now}
  from ${rows} where ${lockTimeout('$2')} order by r.key collate "C"`

/** A single row, whose columns are plain parameters. */
const newRow = `select $3::text, $4::text, $5::text, $6::bytea, $7::bigint, $8::boolean,
  ${now} + $9::bigint * interval '1 millisecond', ${now} where ${lockTimeout('$2')}`

const overwrite = `long_key = excluded.long_key, version = excluded.version, value = excluded.value,
  number = excluded.number, placeholder = excluded.placeholder, expires_at = excluded.expires_at,
  written_at = excluded.written_at`

/** Whether the row `t` counts as absent: it has expired, or belongs to another long key with the same hash. */
const absent = `(not ${live} or t.long_key is distinct from excluded.long_key)`

/** The greatest safe integer of JavaScript. */
const mostNumber = Number.MAX_SAFE_INTEGER

/** Whether the row `t` belongs to this backend: `$3` and `$4` bound its prefix. */
function isOwn(isRoot: boolean): string {
  // The range of an empty prefix includes the keys of all other prefixes; only those keys contain an end of prefix.
  return `t.key >= $3 and ($4::text is null or t.key < $4)${isRoot ? " and strpos(t.key, E'\\\\/') = 0" : ''}`
}

function scan(table: string, isRoot: boolean): string {
  return `select t.key, coalesce(t.long_key, t.key) as whole from ${table} t
    where ${isOwn(isRoot)} and coalesce(t.long_key, t.key) >= $5
    and ($6::text is null or coalesce(t.long_key, t.key) < $6)`
}

function clear(table: string, isRoot: boolean): Statement {
  return statement(
    `with victims as (${scan(table, isRoot)} and ${lockTimeout('$1')}
      order by t.key limit $2 for update),
    gone as (delete from ${table} t using victims v where t.key = v.key)
    select count(*)::text, max(key) from victims`,
    2,
  )
}

function keys(table: string, isRoot: boolean): Statement {
  return statement(`${scan(table, isRoot)} and ${live} and not t.placeholder order by t.key limit $2`, 2)
}

/**
 * The statements for a table, given by its quoted name. `isRoot` means that the backend has no prefix, so that the
 * statements must exclude the keys of other prefixes.
 */
export function statementsFor(table: string, isRoot: boolean): Statements {
  // A counter's number and version share one column, which is null for all other items: each column costs time.
  const columns = (value: string): string => `coalesce(t.long_key, t.key), ${value}, t.number || ' ' || t.version`
  return {
    getOne: bytesStatement(
      3,
      1,
      't.value',
      (value) => `select ${columns(value)} from ${table} t where t.key = $2 and ${live}`,
    ),

    // A subquery hides the array's length from the planner, which then keeps one plan for all lengths.
    getMany: bytesStatement(
      3,
      1,
      't.value',
      (value) => `select ${columns(value)} from ${table} t where t.key = any ((select $2::text[])::text[]) and ${live}`,
    ),

    put: statement(
      `insert into ${table} as t (${rowColumns}) ${newRows} on conflict (key) do update set ${overwrite}`,
      0,
    ),

    putOne: statement(
      `insert into ${table} as t (${rowColumns}) ${newRow} on conflict (key) do update set ${overwrite}`,
      0,
    ),

    putIfAbsent: statement(
      `insert into ${table} as t (${rowColumns}) ${newRows}
      on conflict (key) do update set ${overwrite} where ${absent} returning t.key`,
      1,
    ),

    putOneIfAbsent: statement(
      `insert into ${table} as t (${rowColumns}) ${newRow}
      on conflict (key) do update set ${overwrite} where ${absent} returning t.key`,
      1,
    ),

    // A version identifies one item of one key, so no other column needs a comparison. `$10` are the expected versions.
    replace: statement(
      `with r as (
        select * from unnest($3::text[], $4::text[], $5::text[], $6::bytea[], $7::bigint[], $8::boolean[], $9::bigint[],
          $10::text[]) as r (key, long_key, version, value, number, placeholder, lifetime, expected)
      ), locked as (
        select t.key from ${table} t where t.key = any ((select $3::text[])::text[]) and ${lockTimeout('$2')}
        order by t.key for update
      )
      update ${table} t set long_key = r.long_key, version = r.version, value = r.value, number = r.number,
        placeholder = r.placeholder, expires_at = ${now} + r.lifetime * interval '1 millisecond', written_at = ${now}
      from r join locked l on l.key = r.key where t.key = r.key and t.version = r.expected and ${live}
      returning t.key`,
      1,
    ),

    replaceOne: statement(
      `update ${table} t set long_key = $4::text, version = $5::text, value = $6::bytea,
        number = $7::bigint, placeholder = $8::boolean,
        expires_at = ${now} + $9::bigint * interval '1 millisecond', written_at = ${now}
      where t.key = $3::text and t.version = $10::text and ${live} and ${lockTimeout('$2')} returning t.key`,
      1,
    ),

    // Returns each removed row, and whether it held a live value.
    remove: statement(
      `with locked as (
        select t.key from ${table} t where t.key = any ((select $3::text[])::text[]) and ${lockTimeout('$2')}
        order by t.key for update
      )
      delete from ${table} t using locked l where t.key = l.key
      returning t.key, coalesce(t.long_key, t.key), (${live} and not t.placeholder)::text`,
      3,
    ),

    removeOne: statement(
      `delete from ${table} t where t.key = $3::text and ${lockTimeout('$2')}
      returning t.key, coalesce(t.long_key, t.key), (${live} and not t.placeholder)::text`,
      3,
    ),

    removeVersions: statement(
      `with locked as (
        select t.key, e.expected from ${table} t
        join unnest($3::text[], $4::text[]) as e (key, expected) on e.key = t.key
        where ${lockTimeout('$2')} order by t.key for update of t
      )
      delete from ${table} t using locked l where t.key = l.key and t.version = l.expected and ${live}
      returning t.key`,
      1,
    ),

    // Rows that one transaction inserts and removes again: until it ends, other writes to their keys wait. The rows
    // have expired, so they count as absent even where the removal does not run.
    lockMissing: statement(
      `insert into ${table} as t (key, version, value, expires_at)
      select k.key, 'held', '', '-infinity' from unnest($1::text[]) as k (key) order by k.key collate "C"
      on conflict (key) do nothing returning t.key`,
      1,
    ),
    unlockMissing: statement(`delete from ${table} t where t.key = any ((select $1::text[])::text[])`, 0),

    // An absent counter starts from 0 with the given expiry time. A refused row is not returned.
    increment: bytesStatement(
      3,
      2,
      't.value',
      (value) => `insert into ${table} as t (${rowColumns}) ${newRows}
      on conflict (key) do update set long_key = excluded.long_key, version = excluded.version,
        number = case when ${absent} or t.placeholder then excluded.number else t.number + excluded.number end,
        value = case when ${absent} or t.placeholder then excluded.value else t.value end,
        expires_at = case when ${absent} or t.placeholder then excluded.expires_at else t.expires_at end,
        placeholder = false, written_at = excluded.written_at
      where ${absent} or t.placeholder or (t.number + excluded.number between -${mostNumber} and ${mostNumber})
      returning t.key, t.number::text, ${value}`,
    ),

    clear: clear(table, isRoot),
    keys: keys(table, isRoot),

    find: bytesStatement(
      5,
      1,
      't.value',
      (value) => `select ${columns(value)}, t.version, t.number::text from ${table} t where t.key = $2 and ${live}`,
    ),

    // `$10` and `$11` are the version and the unreadable bytes.
    replaceDamaged: statement(
      `with r as (select * from ${rows} where ${lockTimeout('$2')})
      update ${table} t set long_key = r.long_key, version = r.version, value = r.value, number = r.number,
        placeholder = r.placeholder, expires_at = ${now} + r.lifetime * interval '1 millisecond', written_at = ${now}
      from r where t.key = r.key and t.version = $10 and t.value = $11 returning t.key`,
      1,
    ),

    pages: statement(
      `select (pg_relation_size(${quoteLiteral(table)}) / current_setting('block_size')::bigint)::text`,
      1,
    ),

    // Counts a sample of `$2` percent of the table's pages; with 100 percent the result is exact.
    measure: statement(
      `select (count(*) filter (where ${live} and not t.placeholder))::text,
      coalesce(sum(octet_length(t.key) + octet_length(t.value) + coalesce(octet_length(t.long_key), 0)), 0)::text
      from ${table} t tablesample system ($2::real) where ${isOwn(isRoot)}`,
      2,
    ),

    // Pages from `$5` (inclusive) to `$6` (exclusive). Rows that another transaction has locked are skipped.
    removeExpired: statement(
      `delete from ${table} v where v.ctid = any (array(
        select t.ctid from ${table} t where t.ctid >= $5::text::tid and t.ctid < $6::text::tid
        and t.expires_at <= ${now} and ${isOwn(isRoot)} limit $2 for update skip locked
      )) returning coalesce(v.long_key, v.key)`,
      1,
    ),

    // Counts a sample of `$2` percent of the pages. If the estimate exceeds `$5` rows or `$6` bytes, removes rows down
    // to `$7` rows and `$8` bytes, but at most `$9`: expired rows first, then the oldest. The lock admits one process
    // at a time: several that found the same excess would each remove all of it.
    evict: statement(
      `with sample as materialized (
        select t.ctid as place, ${live} as live, t.written_at,
        octet_length(t.key) + octet_length(t.value) + coalesce(octet_length(t.long_key), 0) as bytes
        from ${table} t tablesample system ($2::real) where ${isOwn(isRoot)}
        and (select pg_try_advisory_xact_lock(hashtext(${quoteLiteral(`${table} evict`)}), hashtext($3)))
      ), total as (
        select count(*) * 100 / $2::real as rows, coalesce(sum(bytes), 0) * 100 / $2::real as bytes from sample
      ), excess as (
        select least($9::float, greatest(
          case when rows > $5::float then rows - $7::float else 0 end,
          case when bytes > $6::float then ceil((bytes - $8::float) * rows / bytes) else 0 end))::bigint as rows
        from total
      ), victims as (
        select t.ctid as place from ${table} t where t.ctid = any (array(
          select place from sample order by live, written_at limit (select rows from excess))) for update skip locked
      ), gone as (
        delete from ${table} t where t.ctid = any (array(select place from victims))
        returning coalesce(t.long_key, t.key) as whole, ${live} as live
      )
      select total.rows::text, total.bytes::text, gone.whole, gone.live::text from total left join gone on true`,
      4,
    ),
  }
}
