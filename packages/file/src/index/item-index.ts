import { corruptIndex } from '../errors.ts'
import type { TextRange } from './key-text.ts'
import { type Found, RowBatch } from './row-batch.ts'
import { type EvictionPolicy, policyColumn } from './schema.ts'
import { type Database, prepareRows, type RowStatement, type SqlValue, type Statement, wholeColumn } from './sqlite.ts'

/** What is read of an item where its value alone is not enough. */
export interface Row {
  readonly id: number
  readonly version: string
  readonly expires_at: number | null
  readonly streamed: number
  readonly checksum: number
  readonly file: string | null
  readonly frame: Uint8Array | null
}

/** What is written of an item. */
export interface NewRow {
  readonly text: string
  readonly version: string
  readonly kind: number
  /** Whether it is a record of the cache itself, placeholders for one included. */
  readonly record: boolean
  readonly bytes: number
  readonly storedAt: number
  readonly expiresAt: number | undefined
  readonly tags: readonly string[]
  readonly streamed: boolean
  readonly checksum: number
  readonly file: string | undefined
  readonly frame: Uint8Array | undefined
}

export interface Total {
  readonly entries: number
  readonly live: number
  readonly bytes: number
  readonly trash: number
}

/** What was removed: enough to tell whether it was a live value. */
export interface Removed {
  readonly key: string
  readonly kind: number
  readonly expires_at: number | null
}

export interface Victim {
  readonly id: number
  readonly key: string
  readonly bytes: number
  readonly rank: number
  /** What the rank would be now. */
  readonly due: number
}

/** What looking for expired items came to. */
export interface Expired {
  readonly removed: readonly { readonly key: string; readonly kind: number }[]
  /** Items that were due. While there are any, there may be more. */
  readonly looked: number
}

/** Counts values that have expired and were not removed yet: looks at each item that is due. */
export const expiredValuesQuery: string =
  'select count(*) as count from item where due_at <= ? and expires_at <= ? and kind > 0'

/** What the triggers count, counted anew: looks at every row. */
export const countQuery: string = `select count(*) as entries, coalesce(sum(kind > 0), 0) as live,
  coalesce(sum(bytes), 0) as bytes, (select count(*) from trash) as trash from item`
export const recountQuery: string = `update total set (entries, live, bytes, trash) = (${countQuery})`

const nothingDue: Expired = { removed: [], looked: 0 }

/** Only what fits the type of a column goes out: damage costs the item its value, not the call. See `wholeColumn`. */
const frameColumn = "case when typeof(frame) = 'blob' then frame end"
const readColumns = `id, case when typeof(version) = 'text' then version end, ${wholeColumn('expires_at')}, streamed = 1,
  ${wholeColumn('checksum')}, cast(file as text), ${frameColumn}`

/** The statements of the index, prepared when they are first used. Synchronous, like SQLite; `OperationQueue` decides when they run. */
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
  readonly #total: RowStatement

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
    // Nothing here is in an index: see `rank` and `due_at` in schema.ts.
    const update = `version = excluded.version, kind = excluded.kind, bytes = excluded.bytes,
      stored_at = excluded.stored_at, expires_at = excluded.expires_at, checksum = excluded.checksum`
    // Most items have neither tags nor a file: each value that is not bound is time saved.
    this.#putPlain = database.prepare(`
      insert into item (${columns}, frame) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      on conflict (key) do update set ${update}, frame = excluded.frame, tagged = 0, streamed = 0, file = null`)
    this.#put = database.prepare(`
      insert into item (${columns}, frame, tagged, streamed, file) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      on conflict (key) do update set ${update}, frame = excluded.frame, tagged = excluded.tagged,
        streamed = excluded.streamed, file = excluded.file`)
    this.#due = database.prepare('select 1 from item where due_at <= ? limit 1')
    this.#total = prepareRows(database, 'select entries, live, bytes, trash from total')
  }

  get(text: string): Row | undefined {
    const found = this.#get.get(text)
    return found === undefined ? undefined : rowOf(found)
  }

  /** What most reads need; see `Found`. */
  find(text: string): Found | undefined {
    const found = this.#find.get(text)
    if (found === undefined) return undefined
    return { id: found[0] as number, checksum: found[1] as number, frame: found[2] as Uint8Array | null }
  }

  /** The same for many keys, in their order. Frames that are not short are null too. */
  findMany(texts: readonly string[]): (Found | undefined)[] {
    return this.#batch.read(texts)
  }

  bytesOf(text: string): number | undefined {
    return (this.one('select bytes from item where key = ?', text) as { bytes: number } | undefined)?.bytes
  }

  put(row: NewRow): void {
    const { text, version, kind, bytes, storedAt, checksum } = row
    const expiresAt = row.expiresAt ?? null
    const frame = row.frame ?? null
    if (frame !== null) this.#bytesWritten += frame.length
    const rank = row.record ? null : this.#policy === 'lfu' ? 0 : storedAt
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

  remove(text: string): Removed | undefined {
    const sql = `delete from item where key = ? returning key, kind > 0 as kind, ${wholeColumn('expires_at')} as expires_at`
    return this.one(sql, text) as Removed | undefined
  }

  removeById(id: number): void {
    this.run('delete from item where id = ?', id)
  }

  /** At most `count` of the keys in the range, in order, after `after`. */
  liveKeys(range: TextRange, after: string | undefined, now: number, count: number): string[] {
    const upper = range.to === undefined ? '' : 'and key < ?'
    const lower = after === undefined ? 'key >= ?' : 'key > ?'
    const sql = `select key from item where ${lower} ${upper} and kind > 0 and (expires_at is null or expires_at > ?)
      order by key limit ${count}`
    const values = range.to === undefined ? [after ?? range.from, now] : [after ?? range.from, range.to, now]
    const texts = withTexts(this.all(sql, ...values) as { key: string }[]).map((row) => row.key)
    if (texts.length === count) advanced(after, texts.at(-1))
    return texts
  }

  /**
   * Removes at most `count` items of the range after the key `after` whose id is at most `lastId`: an item set after the
   * clear began has a higher one and stays. Returns the last key it looked at, or `undefined` when it came to the end.
   */
  removeRange(range: TextRange, after: string | undefined, lastId: number, count: number): string | undefined {
    const upper = range.to === undefined ? '' : 'and key < ?'
    const lower = after === undefined ? 'key >= ?' : 'key > ?'
    const sql = `select id, key from item where ${lower} ${upper} order by key limit ${count}`
    const values = range.to === undefined ? [after ?? range.from] : [after ?? range.from, range.to]
    const rows = withTexts(this.all(sql, ...values) as { id: number; key: string }[])
    for (const row of rows) if (row.id <= lastId) this.removeById(row.id)
    return rows.length < count ? undefined : advanced(after, rows.at(-1)?.key)
  }

  lastId(): number {
    return (this.one('select coalesce(max(id), 0) as id from item') as { id: number }).id
  }

  /** Removes what of the next `count` items that are due has expired; those that were stored again meanwhile are due later. */
  removeExpired(now: number, count: number): Expired {
    // The usual answer, and much cheaper to get than by a delete that finds nothing.
    if (this.#due.get(now) === undefined) return nothingDue
    const due = 'id in (select id from item where due_at <= ? order by due_at limit ?)'
    const later = this.run(
      `update item set due_at = expires_at where ${due} and (expires_at is null or expires_at > ?)`,
      now,
      count,
      now,
    )
    const sql = `delete from item where ${due} and expires_at <= ? returning key, kind`
    const removed = withTexts(this.all(sql, now, count, now) as { key: string; kind: number }[])
    return { removed, looked: later + removed.length }
  }

  /** Removes at most `count` messages that have expired, of any queue; returns how many. */
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

  /** Values that have expired and were not removed yet. */
  expiredValues(now: number): number {
    return (this.one(expiredValuesQuery, now, now) as { count: number }).count
  }

  /** Items that carry the tag, at most `count`. */
  removeTagged(tag: string, now: number, count: number): { rows: number; live: number } {
    const sql = `delete from item where id in (select id from item_tag where tag in (?, ?) limit ?) returning kind, expires_at`
    const removed = this.all(sql, tag, tagRecord(tag), count) as { kind: number; expires_at: number | null }[]
    const live = removed.filter((row) => row.kind > 0 && !(row.expires_at !== null && row.expires_at <= now))
    return { rows: removed.length, live: live.length }
  }

  /**
   * The next items by rank. Items stored at `now` are spared while there are others: they would be evicted unread. Records
   * of the cache go last: without its tag's record an item is lost, without its own record only a tag is.
   */
  victims(now: number, count: number): readonly Victim[] {
    const columns = `id, key, bytes, rank, ${policyColumn[this.#policy]} as due`
    const sql = (where: string): string =>
      `select ${columns} from item where rank is not null ${where} order by rank, id limit ${count}`
    const older = withTexts(this.all(sql('and stored_at < ?'), now) as Victim[])
    if (older.length > 0) return older
    const any = withTexts(this.all(sql('')) as Victim[])
    if (any.length > 0) return any
    return withTexts(
      this.all(`select id, key, bytes, 0 as rank, 0 as due from item order by id limit ${count}`) as Victim[],
    )
  }

  setRank(id: number, rank: number): void {
    this.run('update item set rank = ? where id = ?', rank, id)
  }

  touch(id: number, at: number, times: number): void {
    if (this.#policy === 'lru') this.run('update item set used_at = max(used_at, ?) where id = ?', at, id)
    else this.run('update item set uses = uses + ? where id = ?', times, id)
  }

  /** Bytes of values written since the last call. */
  takeBytesWritten(): number {
    const bytes = this.#bytesWritten
    this.#bytesWritten = 0
    return bytes
  }

  /** Counts anew what the triggers count. */
  recount(): void {
    this.run(recountQuery)
  }

  total(): Total {
    const found = this.#total.get()
    if (found === undefined) throw corruptIndex('its totals are gone')
    const [entries, live, bytes, trash] = found as readonly number[] as [number, number, number, number]
    return { entries, live, bytes, trash }
  }

  trash(count: number): readonly string[] {
    return (this.all('select file from trash limit ?', count) as { file: string }[]).map((row) => row.file)
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

function rowOf(found: readonly SqlValue[]): Row {
  return {
    id: found[0] as number,
    version: found[1] as string,
    expires_at: found[2] as number | null,
    streamed: found[3] as number,
    checksum: found[4] as number,
    file: found[5] as string | null,
    frame: found[6] as Uint8Array | null,
  }
}

/** How `Cache` names the tag of an item outside of every namespace; see keyspace.ts of core. */
function tagRecord(tag: string): string {
  return `@#:${tag}`
}

/** Rows whose keys go out to callers and listeners: damage may have made them something else than text. */
function withTexts<Found extends { readonly key: string }>(rows: Found[]): Found[] {
  for (const row of rows) if (typeof row.key !== 'string') throw corruptIndex('a key is not text')
  return rows
}

/** The last key of a page. In an index whose order is damaged it may come before the one asked for, and paging would never end. */
function advanced(after: string | undefined, last: string | undefined): string | undefined {
  if (after !== undefined && last !== undefined && Buffer.compare(Buffer.from(last), Buffer.from(after)) <= 0) {
    throw corruptIndex('the keys are not in order')
  }
  return last
}
