import type { ItemFormat } from '@cache/codecs'
import type { CacheError, Clock, Item } from '@cache/core/backend'
import { textArray } from '../connections/binary-array.ts'
import type { Parameter, ResultRow, Run, Session } from '../connections/session.ts'
import type { Statement } from '../connections/statement.ts'
import { unexpectedReply } from '../errors.ts'
import { nextTurn } from '../timeouts/next-turn.ts'
import { timeLeft } from '../timeouts/time-left.ts'
import { momentaryLock, type WriteTimeouts } from '../timeouts/write-timeouts.ts'
import type { BackendKey, BackendKeys, KeyRange } from './backend-key.ts'
import { onlyRow, optionalRow, readBoolean, readEstimate, readText, readWholeNumber } from './read-columns.ts'
import { bytesOf, columnsOf, columnsOfOne, itemOf, keyOfRow, type Row, rowOf } from './row.ts'
import type { Statements } from './statements.ts'

export interface TableOptions {
  readonly session: Pick<Session, 'lockTimeout'>
  /** Sends the statements. */
  readonly run: Run
  readonly statements: Statements
  readonly keys: BackendKeys
  readonly format: ItemFormat
  /** Absent: the server's clock decides. */
  readonly clock: Clock | undefined
  /** Milliseconds of a statement for which the call gives no time-out. */
  readonly timeout: number
  /**
   * Milliseconds that a write waits for a row that another transaction has locked; absent where no limit may be set.
   */
  readonly lockTimeout: number | undefined
  /** Whether a removal blocks other writes to its keys until the transaction ends, including keys that were missing. */
  readonly locksMissing: boolean
  readonly onDamaged: (error: CacheError) => void
}

/** A part of the keys of a scan, and the range of the rest; without `next` it is the last part. */
export interface KeyPage {
  readonly keys: readonly string[]
  readonly next: KeyRange | undefined
}

/** The size of a backend's rows, estimated where only a sample was counted. */
export interface Measurement {
  /** Live items, without placeholders. */
  readonly items: number
  /** Bytes of keys and values. */
  readonly bytes: number
}

export interface Limits {
  readonly rows: number
  readonly bytes: number
}

/** The size before an eviction, and the keys that it removed. */
export interface Eviction extends Limits {
  readonly live: readonly string[]
  /** Keys whose items had expired. */
  readonly expired: readonly string[]
}

const keysPerPage = 1000
const rowsPerClear = 5000
/** A table has fewer pages than this (`MaxBlockNumber` in PostgreSQL's block.h). */
const mostPages = 2 ** 32

/** The operations of the backend on whole batches, each as one statement. The keys of a batch must differ. */
export class Table {
  readonly #options: TableOptions

  constructor(options: TableOptions) {
    this.#options = options
  }

  /** Milliseconds since the epoch by the injected clock, else by this machine. */
  now(): number {
    return this.#options.clock?.now() ?? Date.now()
  }

  /** The item in the form of the table. Throws `NOT_STORABLE`. */
  rowOf(item: Item): Row {
    return rowOf(item, this.#options.keys.encode(item.key), this.#options.format)
  }

  backendKey(key: string): BackendKey {
    return this.#options.keys.encode(key)
  }

  /** The time-outs of a call that shares its statement with no other call, so that no other call waits with it. */
  ownTimeouts(timeout: number): WriteTimeouts {
    return { timeout, lockTimeout: this.#options.lockTimeout }
  }

  /** Whether values are encrypted, so that SQL cannot count with them. */
  get isEncrypted(): boolean {
    return this.#options.format.sealed
  }

  /** The items in the order of the keys, which may repeat. */
  async get(keys: readonly string[], timeout?: number): Promise<(Item | undefined)[]> {
    const { statements, format, onDamaged } = this.#options
    if (keys.length === 1) {
      const key = keys[0] as string
      const { id, whole } = this.backendKey(key)
      const row = optionalRow(await this.#run(statements.getOne, [this.#instant(), id], 'get', timeout), 'get')
      return [row === undefined || keyOfRow(row) !== whole ? undefined : itemOf(key, row, format, onDamaged)]
    }
    const backendKeys = keys.map((key) => this.backendKey(key))
    const ids = textArray(backendKeys.map(({ id }) => id))
    const rows = await this.#run(statements.getMany, [this.#instant(), ids], 'getMany', timeout)
    const found = new Map(rows.map((row) => [keyOfRow(row), row]))
    return keys.map((key, index) => {
      const row = found.get((backendKeys[index] as BackendKey).whole)
      return row === undefined ? undefined : itemOf(key, row, format, onDamaged)
    })
  }

  /** Writes the rows over any others. The caller must have excluded rows that have expired. */
  async put(rows: readonly Row[], timeouts?: WriteTimeouts): Promise<void> {
    const { put, putOne } = this.#options.statements
    await this.#write(rows.length === 1 ? putOne : put, rows, [], 'set', timeouts)
  }

  /** Writes the rows whose keys are absent. Resolves to their ids. */
  async putIfAbsent(rows: readonly Row[], timeouts?: WriteTimeouts): Promise<Set<string>> {
    const { putIfAbsent, putOneIfAbsent } = this.#options.statements
    return idsOf(
      await this.#write(rows.length === 1 ? putOneIfAbsent : putIfAbsent, rows, [], 'compareAndSet', timeouts),
    )
  }

  /** Writes each row where the table has its expected version. Resolves to the ids of the rows that were written. */
  async replace(rows: readonly Row[], expected: readonly string[], timeouts?: WriteTimeouts): Promise<Set<string>> {
    const { replace, replaceOne } = this.#options.statements
    return idsOf(
      await (rows.length === 1
        ? this.#write(replaceOne, rows, [expected[0] as string], 'compareAndSet', timeouts)
        : this.#write(replace, rows, [textArray(expected)], 'compareAndSet', timeouts)),
    )
  }

  /** Removes each key where the table has its expected version. Resolves to the ids of the keys that were removed. */
  async removeVersions(
    keys: readonly BackendKey[],
    expected: readonly string[],
    timeouts?: WriteTimeouts,
  ): Promise<Set<string>> {
    const ids = textArray(keys.map(({ id }) => id))
    const values = [this.#instant(), this.#lockTimeout(timeouts), ids, textArray(expected)]
    return idsOf(await this.#runWrite(this.#options.statements.removeVersions, values, 'compareAndSet', timeouts))
  }

  /** Removes the keys. Resolves to the whole encoded keys that had a live value. */
  async remove(keys: readonly BackendKey[], timeouts: WriteTimeouts): Promise<Set<string>> {
    const left = timeLeft('delete', timeouts.timeout)
    const removed = await this.#remove(keys, timeouts)
    if (this.#options.locksMissing) await this.#lockMissing(keys, removed, left)
    return new Set(removed.filter((row) => readBoolean(row, 2, 'delete')).map((row) => readText(row, 1, 'delete')))
  }

  async #remove(keys: readonly BackendKey[], timeouts: WriteTimeouts): Promise<ResultRow[]> {
    const { statements } = this.#options
    const [first] = keys
    const isOne = keys.length === 1 && first !== undefined
    const ids = isOne ? first.id : textArray(keys.map(({ id }) => id))
    const statement = isOne ? statements.removeOne : statements.remove
    const values = [this.#instant(), this.#lockTimeout(timeouts), ids]
    return await this.#runWrite(statement, values, 'delete', timeouts)
  }

  /**
   * Blocks other writes to the missing keys until the transaction ends. A removed row blocks them by itself. Without
   * this, a load of a missing key could begin before the commit, read the application's old data, and store it after
   * the commit.
   */
  async #lockMissing(keys: readonly BackendKey[], removed: readonly ResultRow[], left: () => number): Promise<void> {
    const locked = new Set(removed.map((row) => readText(row, 0, 'delete')))
    const { statements } = this.#options
    for (;;) {
      const missing = keys.filter(({ id }) => !locked.has(id))
      if (missing.length === 0) return
      const rows = await this.#run(statements.lockMissing, [textArray(missing.map(({ id }) => id))], 'delete', left())
      const inserted = rows.map((row) => readText(row, 0, 'delete'))
      if (inserted.length > 0) await this.#run(statements.unlockMissing, [textArray(inserted)], 'delete', left())
      for (const id of inserted) locked.add(id)
      // Other processes stored the rest meanwhile. Those values are from before the commit too, so they are removed.
      const rest = missing.filter(({ id }) => !locked.has(id))
      if (rest.length === 0) return
      for (const row of await this.#remove(rest, { timeout: left() })) locked.add(readText(row, 0, 'delete'))
      await nextTurn()
    }
  }

  /** Adds each row's number. Resolves to the sums by id, without the keys of refused steps and of damaged items. */
  async increment(rows: readonly Row[], timeouts?: WriteTimeouts): Promise<Map<string, number>> {
    const results = await this.#write(this.#options.statements.increment, rows, [], 'increment', timeouts)
    const sums = new Map<string, number>()
    for (const row of results) {
      // SQL adds to the number column even where the bytes of the item are damaged.
      if (!this.#isCounter(bytesOf(row[2]))) continue
      sums.set(readText(row, 0, 'increment'), readWholeNumber(row, 1, 'increment'))
    }
    return sums
  }

  /** The live row of the key, whether its bytes can be read or not. */
  async find(key: string, timeout: number): Promise<ResultRow | undefined> {
    const { id, whole } = this.backendKey(key)
    const rows = await this.#run(this.#options.statements.find, [this.#instant(), id], 'compareAndSet', timeout)
    const row = optionalRow(rows, 'compareAndSet')
    return row === undefined || keyOfRow(row) !== whole ? undefined : row
  }

  /**
   * The item of a row from `find`; `undefined` when its bytes cannot be read. Only reads of the key report the damage.
   */
  itemOf(key: string, row: ResultRow): Item | undefined {
    return itemOf(key, row, this.#options.format, () => {})
  }

  /** Writes the row over one whose bytes cannot be read, if that one is unchanged. */
  async replaceDamaged(row: Row, damaged: ResultRow, timeouts: WriteTimeouts): Promise<boolean> {
    const more = [damaged[3] as string, bytesOf(damaged[1])]
    const rows = await this.#write(this.#options.statements.replaceDamaged, [row], more, 'compareAndSet', timeouts)
    return rows.length > 0
  }

  /** The ranges of keys that begin with the prefix. */
  ranges(prefix: string): readonly KeyRange[] {
    return this.#options.keys.ranges(prefix)
  }

  /** Removes some rows of the range; resolves to the rest of it, `undefined` when it is empty. */
  async clear(range: KeyRange, timeout?: number): Promise<KeyRange | undefined> {
    const { statements } = this.#options
    const values = [this.#lockTimeout(undefined), rowsPerClear, ...boundsOf(range)]
    const row = onlyRow(await this.#runWrite(statements.clear, values, 'clear', undefined, timeout), 'clear')
    if (readWholeNumber(row, 0, 'clear', 0) < rowsPerClear) return undefined
    return after(range, readText(row, 1, 'clear'), 'clear')
  }

  /** Resolves to some live keys of the range. */
  async keyPage(range: KeyRange, timeout?: number): Promise<KeyPage> {
    const { statements, keys } = this.#options
    const values = [this.#instant(), keysPerPage, ...boundsOf(range)]
    const rows = await this.#run(statements.keys, values, 'keys', timeout)
    const last = rows.at(-1)
    return {
      keys: rows.map((row) => keys.decode(readText(row, 1, 'keys'))),
      next:
        rows.length < keysPerPage || last === undefined ? undefined : after(range, readText(last, 0, 'keys'), 'keys'),
    }
  }

  /** The number of the table's pages, without the pages of its large values. */
  async pages(): Promise<number> {
    const rows = await this.#run(this.#options.statements.pages, [], 'stats')
    const pages = readWholeNumber(onlyRow(rows, 'stats'), 0, 'stats', 0)
    // A round over more pages would never end.
    if (pages >= mostPages) throw unexpectedReply('stats', 'no table has so many pages')
    return pages
  }

  /** Estimates the size of all rows from a sample of the pages. */
  async measure(percent: number): Promise<Measurement> {
    const values = [this.#instant(), percent, ...this.#ownBounds()]
    const row = onlyRow(await this.#run(this.#options.statements.measure, values, 'stats'), 'stats')
    const all = (column: number): number => Math.round((readEstimate(row, column, 'stats') * 100) / percent)
    return { items: all(0), bytes: all(1) }
  }

  /**
   * Removes at most `limit` expired rows of the pages from `first` (inclusive) to `end` (exclusive); resolves to their
   * keys.
   */
  async removeExpired(first: number, end: number, limit: number): Promise<string[]> {
    const values = [this.#instant(), limit, ...this.#ownBounds(), `(${first},0)`, `(${end},0)`]
    const rows = await this.#run(this.#options.statements.removeExpired, values, 'removeExpired')
    return rows.map((row) => this.#options.keys.decode(readText(row, 0, 'removeExpired')))
  }

  /** Counts a sample of the pages, and removes its oldest rows where the estimate exceeds `limits`. */
  async evict(percent: number, limits: Limits, target: Limits, most: number): Promise<Eviction> {
    const values = [
      this.#instant(),
      percent,
      ...this.#ownBounds(),
      limits.rows,
      limits.bytes,
      target.rows,
      target.bytes,
      most,
    ].map((value) => (typeof value === 'number' && !Number.isFinite(value) ? 'Infinity' : value))
    const results = await this.#run(this.#options.statements.evict, values, 'evict')
    const [first] = results
    if (first === undefined) throw unexpectedReply('evict', 'it has no rows')
    // Without a removed row, the first one has the estimate alone.
    const removed = results.filter((row) => row[2] !== null)
    const keysOf = (wasLive: boolean): string[] =>
      removed
        .filter((row) => readBoolean(row, 3, 'evict') === wasLive)
        .map((row) => this.#options.keys.decode(readText(row, 2, 'evict')))
    const [rows, bytes] = [readEstimate(first, 0, 'evict'), readEstimate(first, 1, 'evict')]
    return { rows, bytes, live: keysOf(true), expired: keysOf(false) }
  }

  /** The bounds of all keys of this backend. */
  #ownBounds(): Parameter[] {
    const [all] = this.#options.keys.ranges('')
    return [all?.idFrom ?? '', all?.idTo ?? null]
  }

  #isCounter(bytes: Buffer): boolean {
    try {
      return typeof this.#options.format.decode('', bytes).value === 'number'
    } catch {
      return false
    }
  }

  /** `$1`: `null` for the server's clock. */
  #instant(): number | null {
    return this.#options.clock === undefined ? null : this.#options.clock.now()
  }

  #write(
    statement: Statement,
    rows: readonly Row[],
    more: readonly Parameter[],
    method: string,
    timeouts: WriteTimeouts | undefined,
  ): Promise<ResultRow[]> {
    const { putOne, putOneIfAbsent, replaceOne } = this.#options.statements
    const [first] = rows
    const isForOne = statement === putOne || statement === putOneIfAbsent || statement === replaceOne
    const columns = isForOne ? columnsOfOne(first as Row, this.now()) : columnsOf(rows, this.now())
    const values = [this.#instant(), this.#lockTimeout(timeouts), ...columns, ...more]
    return this.#runWrite(statement, values, method, timeouts)
  }

  /** The limit that the statement itself must set. A call without time-outs waits for the whole `lockTimeout`. */
  #lockTimeout(timeouts: WriteTimeouts | undefined): string | null {
    const { session, lockTimeout } = this.#options
    const limit = timeouts === undefined ? lockTimeout : timeouts.lockTimeout
    return lockTimeout === undefined || limit === undefined ? session.lockTimeout : `${limit}ms`
  }

  /** Whether the statement may wait long for locked rows. */
  #mayWait(timeouts: WriteTimeouts | undefined): boolean {
    const { lockTimeout } = this.#options
    if (lockTimeout === undefined) return false
    return (timeouts === undefined ? lockTimeout : (timeouts.lockTimeout ?? 0)) > momentaryLock
  }

  /** Runs a statement that locks rows; absent time-outs stand for the whole `timeout` and `lockTimeout`. */
  #runWrite(
    statement: Statement,
    values: readonly Parameter[],
    method: string,
    timeouts: WriteTimeouts | undefined,
    timeout: number = timeouts?.timeout ?? this.#options.timeout,
  ): Promise<ResultRow[]> {
    return this.#options.run(statement, values, method, timeout, this.#mayWait(timeouts))
  }

  #run(
    statement: Statement,
    values: readonly Parameter[],
    method: string,
    timeout: number = this.#options.timeout,
  ): Promise<ResultRow[]> {
    return this.#options.run(statement, values, method, timeout)
  }
}

function idsOf(rows: readonly ResultRow[]): Set<string> {
  return new Set(rows.map((row) => readText(row, 0, 'compareAndSet')))
}

function boundsOf(range: KeyRange): Parameter[] {
  return [range.idFrom, range.idTo, range.from, range.to]
}

/**
 * The range behind an id: `text` has no NUL, so no other id lies before the same id with the next character appended.
 * Throws where the range would not become smaller: the scan would never end.
 */
function after(range: KeyRange, id: string, method: string): KeyRange {
  const bytes = Buffer.from(id)
  const isWithin =
    bytes.compare(Buffer.from(range.idFrom)) >= 0 && (range.idTo === null || bytes.compare(Buffer.from(range.idTo)) < 0)
  if (!isWithin) throw unexpectedReply(method, 'its last key is not in the range')
  return { ...range, idFrom: `${id}\u0001` }
}
