import { corruptIndex } from '../errors.ts'
import { expiredValuesQuery, recountQuery } from './count-queries.ts'
import type {
  EvictionCandidate,
  ExpiredRows,
  FullIndexRow,
  IndexRow,
  NewIndexRow,
  RemovedRow,
  Totals,
} from './index-rows.ts'
import type { TextRange } from './key-text.ts'
import { RowBatch } from './row-batch.ts'
import { type EvictionPolicy, policyColumn } from './schema.ts'
import { type Database, prepareRows, type RowStatement, type SqlValue, type Statement, wholeColumn } from './sqlite.ts'

const nothingDue: ExpiredRows = { removed: [], due: 0 }

/**
 * A value of the wrong type reads as null: damage costs the item its value, and the call succeeds. See `wholeColumn`.
 */
const frameColumn = "case when typeof(frame) = 'blob' then frame end"
const readColumns = `id, case when typeof(version) = 'text' then version end, ${wholeColumn('expires_at')}, streamed = 1,
  ${wholeColumn('checksum')}, cast(file as text), ${frameColumn}`

/**
 * The statements of the index, each prepared at its first use. They are synchronous, as SQLite is; `CallQueue` runs
 * them.
 */
export class ItemIndex {
  readonly database: Database
  readonly #policy: EvictionPolicy
  readonly #statements = new Map<string, Statement>()
  #bytesWritten = 0
  readonly #get: RowStatement
  readonly #batch: RowBatch
  readonly #find: RowStatement
  readonly #put: Statement
  readonly #putPlain: Statement
  readonly #due: Statement
  readonly #totals: RowStatement

  constructor(database: Database, policy: EvictionPolicy) {
    this.database = database
    this.#policy = policy
    this.#get = prepareRows(database, `select ${readColumns} from item where key = ?`)
    this.#batch = new RowBatch(database)
    this.#find = prepareRows(
      database,
      `select id, ${wholeColumn('checksum')}, case when file is null and typeof(frame) = 'blob' then frame end
       from item where key = ?`,
    )
    const columns = 'key, version, kind, bytes, stored_at, rank, expires_at, due_at, checksum'
    // No column here is in an index: see `rank` and `due_at` in schema.ts.
    const update = `version = excluded.version, kind = excluded.kind, bytes = excluded.bytes,
      stored_at = excluded.stored_at, expires_at = excluded.expires_at, checksum = excluded.checksum`
    // Most items have neither tags nor a file, and each bound value costs time.
    this.#putPlain = database.prepare(`
      insert into item (${columns}, frame) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      on conflict (key) do update set ${update}, frame = excluded.frame, tagged = 0, streamed = 0, file = null`)
    this.#put = database.prepare(`
      insert into item (${columns}, frame, tagged, streamed, file) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      on conflict (key) do update set ${update}, frame = excluded.frame, tagged = excluded.tagged,
        streamed = excluded.streamed, file = excluded.file`)
    this.#due = database.prepare('select 1 from item where due_at <= ? limit 1')
    this.#totals = prepareRows(database, 'select entries, live, bytes, trash from total')
  }

  get(text: string): FullIndexRow | undefined {
    const found = this.#get.get(text)
    return found === undefined ? undefined : rowOf(found)
  }

  /** The columns that most reads need. */
  find(text: string): IndexRow | undefined {
    const found = this.#find.get(text)
    if (found === undefined) return undefined
    return { id: found[0] as number, checksum: found[1] as number, frame: found[2] as Uint8Array | null }
  }

  /** The same for many keys, in their order. Long frames are `null` too. */
  findMany(texts: readonly string[]): (IndexRow | undefined)[] {
    return this.#batch.read(texts)
  }

  bytesOf(text: string): number | undefined {
    return (this.one('select bytes from item where key = ?', text) as { bytes: number } | undefined)?.bytes
  }

  put(row: NewIndexRow): void {
    const { text, version, kind, bytes, storedAt, checksum } = row
    const expiresAt = row.expiresAt ?? null
    const frame = row.frame ?? null
    if (frame !== null) this.#bytesWritten += frame.length
    const rank = row.isInternal ? null : this.#policy === 'lfu' ? 0 : storedAt
    if (row.file === undefined && row.tags.length === 0) {
      this.#putPlain.run(text, version, kind, bytes, storedAt, rank, expiresAt, expiresAt, checksum, frame)
      return
    }
    const tagged = row.tags.length > 0 ? 1 : 0
    const streamed = row.streamed ? 1 : 0
    const file = row.file ?? null
    this.#put.run(
      text,
      version,
      kind,
      bytes,
      storedAt,
      rank,
      expiresAt,
      expiresAt,
      checksum,
      frame,
      tagged,
      streamed,
      file,
    )
    if (tagged === 1) this.#putTags(text, row.tags)
  }

  remove(text: string): RemovedRow | undefined {
    const sql = `delete from item where key = ? returning key, kind > 0 as kind, ${wholeColumn('expires_at')} as expires_at`
    return this.one(sql, text) as RemovedRow | undefined
  }

  removeById(id: number): void {
    this.run('delete from item where id = ?', id)
  }

  /** At most `count` keys of live values in the range, in order, after the key `after`. */
  liveKeys(range: TextRange, after: string | undefined, now: number, count: number): string[] {
    const upper = range.to === undefined ? '' : 'and key < ?'
    const lower = after === undefined ? 'key >= ?' : 'key > ?'
    const sql = `select key from item where ${lower} ${upper} and kind > 0 and (expires_at is null or expires_at > ?)
      order by key limit ${count}`
    const values = range.to === undefined ? [after ?? range.from, now] : [after ?? range.from, range.to, now]
    const texts = withTexts(this.all(sql, ...values) as { key: string }[]).map((row) => row.key)
    if (texts.length === count) checkAdvance(after, texts.at(-1))
    return texts
  }

  /**
   * Visits `count` items of the range after the key `after` and removes those whose id is at most `lastId`. An item set
   * after the clear began has a higher id and stays. Returns the last visited key, or `undefined` at the end.
   */
  removeRange(range: TextRange, after: string | undefined, lastId: number, count: number): string | undefined {
    const upper = range.to === undefined ? '' : 'and key < ?'
    const lower = after === undefined ? 'key >= ?' : 'key > ?'
    const sql = `select id, key from item where ${lower} ${upper} order by key limit ${count}`
    const values = range.to === undefined ? [after ?? range.from] : [after ?? range.from, range.to]
    const rows = withTexts(this.all(sql, ...values) as { id: number; key: string }[])
    for (const row of rows) if (row.id <= lastId) this.removeById(row.id)
    return rows.length < count ? undefined : checkAdvance(after, rows.at(-1)?.key)
  }

  lastId(): number {
    return (this.one('select coalesce(max(id), 0) as id from item') as { id: number }).id
  }

  /**
   * Looks at the next `count` items that are due and removes the expired ones. Items stored again meanwhile become due
   * later.
   */
  removeExpired(now: number, count: number): ExpiredRows {
    // Usually no item is due, and this query is much cheaper than a delete without effect.
    if (this.#due.get(now) === undefined) return nothingDue
    const due = 'id in (select id from item where due_at <= ? order by due_at limit ?)'
    const postponed = this.run(
      `update item set due_at = expires_at where ${due} and (expires_at is null or expires_at > ?)`,
      now,
      count,
      now,
    )
    const sql = `delete from item where ${due} and expires_at <= ? returning key, kind`
    const removed = withTexts(this.all(sql, now, count, now) as { key: string; kind: number }[])
    return { removed, due: postponed + removed.length }
  }

  /** Removes at most `count` expired messages of any queue; returns their number. */
  removeExpiredMessages(now: number, count: number): number {
    return this.run(
      'delete from message where id in (select id from message where expires_at <= ? limit ?)',
      now,
      count,
    )
  }

  /** Whether more than `count` items are due. */
  hasDue(now: number, count: number): boolean {
    return this.one('select 1 from item where due_at <= ? limit 1 offset ?', now, count) !== undefined
  }

  /** The number of values that have expired but still exist. */
  expiredValues(now: number): number {
    return (this.one(expiredValuesQuery, now, now) as { count: number }).count
  }

  /** Removes at most `count` items that carry the tag. */
  removeTagged(tag: string, now: number, count: number): { rows: number; live: number } {
    const sql = `delete from item where id in (select id from item_tag where tag in (?, ?) limit ?) returning kind, expires_at`
    const removed = this.all(sql, tag, tagRecord(tag), count) as { kind: number; expires_at: number | null }[]
    const live = removed.filter((row) => row.kind > 0 && !(row.expires_at !== null && row.expires_at <= now))
    return { rows: removed.length, live: live.length }
  }

  /**
   * The next items by rank. Items stored at `now` come only when there are no others, because no caller could read them
   * yet. Internal items of the cache come last: an item whose tag record is gone is lost.
   */
  evictionCandidates(now: number, count: number): readonly EvictionCandidate[] {
    const columns = `id, key, bytes, rank, ${policyColumn[this.#policy]} as currentRank`
    const sql = (where: string): string =>
      `select ${columns} from item where rank is not null ${where} order by rank, id limit ${count}`
    const older = withTexts(this.all(sql('and stored_at < ?'), now) as EvictionCandidate[])
    if (older.length > 0) return older
    const any = withTexts(this.all(sql('')) as EvictionCandidate[])
    if (any.length > 0) return any
    return withTexts(
      this.all(
        `select id, key, bytes, 0 as rank, 0 as currentRank from item order by id limit ${count}`,
      ) as EvictionCandidate[],
    )
  }

  setRank(id: number, rank: number): void {
    this.run('update item set rank = ? where id = ?', rank, id)
  }

  addAccesses(id: number, lastAt: number, count: number): void {
    if (this.#policy === 'lru') this.run('update item set used_at = max(used_at, ?) where id = ?', lastAt, id)
    else this.run('update item set uses = uses + ? where id = ?', count, id)
  }

  /** Bytes of values written since the last call. */
  takeBytesWritten(): number {
    const bytes = this.#bytesWritten
    this.#bytesWritten = 0
    return bytes
  }

  /** Replaces the totals by newly counted ones. */
  recount(): void {
    this.run(recountQuery)
  }

  totals(): Totals {
    const found = this.#totals.get()
    if (found === undefined) throw corruptIndex('the row of totals is missing')
    const [entries, live, bytes, trash] = found as readonly number[] as [number, number, number, number]
    return { entries, live, bytes, trash }
  }

  /** The next files of the trash in the order of their names. */
  trash(after: string, count: number): readonly string[] {
    const sql = "select file from trash where file > ? and typeof(file) = 'text' order by file limit ?"
    return (this.all(sql, after, count) as { file: string }[]).map((row) => row.file)
  }

  forgetTrash(file: string): void {
    this.run('delete from trash where file = ?', file)
  }

  /** Whether a row or the trash names the file. */
  namesFile(file: string): boolean {
    const sql = `select exists (select 1 from item where file = ?) or exists (select 1 from message where file = ?)
      or exists (select 1 from trash where file = ?) as named`
    return (this.one(sql, file, file, file) as { named: number }).named === 1
  }

  run(sql: string, ...values: SqlValue[]): number {
    return Number(this.#statement(sql).run(...values).changes)
  }

  one(sql: string, ...values: SqlValue[]): unknown {
    return this.#statement(sql).get(...values)
  }

  all(sql: string, ...values: SqlValue[]): unknown[] {
    return this.#statement(sql).all(...values)
  }

  #putTags(text: string, tags: readonly string[]): void {
    const { id } = this.one('select id from item where key = ?', text) as { id: number }
    for (const tag of tags) this.run('insert or ignore into item_tag (id, tag) values (?, ?)', id, tag)
  }

  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

function rowOf(columns: readonly SqlValue[]): FullIndexRow {
  return {
    id: columns[0] as number,
    version: columns[1] as string,
    expires_at: columns[2] as number | null,
    streamed: columns[3] as number,
    checksum: columns[4] as number,
    file: columns[5] as string | null,
    frame: columns[6] as Uint8Array | null,
  }
}

/** The tag record of a tag outside every namespace, as `Cache` names it; see keyspace.ts of core. */
function tagRecord(tag: string): string {
  return `@#:${tag}`
}

/** Checks rows whose keys reach callers and listeners. Damage may have replaced a key by a value of another type. */
function withTexts<Row extends { readonly key: string }>(rows: Row[]): Row[] {
  for (const row of rows) if (typeof row.key !== 'string') throw corruptIndex('a key is not text')
  return rows
}

/**
 * Returns the last key of a page. In an index with damaged order it may precede `after`, and paging would never end.
 */
function checkAdvance(after: string | undefined, last: string | undefined): string | undefined {
  if (after !== undefined && last !== undefined && Buffer.compare(Buffer.from(last), Buffer.from(after)) <= 0) {
    throw corruptIndex('the keys are not in order')
  }
  return last
}
