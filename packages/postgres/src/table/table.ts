import type { ItemFormat } from '@cache/codecs'
import type { CacheError, Clock, Item } from '@cache/core/backend'
import { textArray } from '../connections/binary-array.ts'
import type { Parameter, Row, Session } from '../connections/session.ts'
import type { Statement } from '../connections/statement.ts'
import { timeLeft } from '../timeouts/time-left.ts'
import type { KeyRange, StoredKey, StoredKeys } from './backend-key.ts'
import { bytesOf, columnsOf, columnsOfOne, keyOfRow, type Record, toItem, toRecord } from './row.ts'
import type { Statements } from './statements.ts'

export interface TableOptions {
  readonly session: Session
  readonly statements: Statements
  readonly keys: StoredKeys
  readonly format: ItemFormat
  /** Absent: the server's clock rules. */
  readonly clock: Clock | undefined
  /** Milliseconds per statement, unless the call says otherwise. */
  readonly timeout: number
  /** Milliseconds that a write waits for a row which others have locked; absent where no limit may be set. */
  readonly lockTimeout: number | undefined
  /** Whether a removal keeps others from storing under its keys until the transaction ends, also where nothing was. */
  readonly holds: boolean
  readonly onDamaged: (error: CacheError) => void
}

/** How long a write may take. */
export interface Patience {
  readonly timeout: number
  /** Milliseconds of it that it may wait for locked rows; absent: the short time that the session has set. */
  readonly lock?: number | undefined
}

/** A bunch of keys that a scan found, and where to go on; without `next` it is the last one. */
export interface Page {
  readonly keys: readonly string[]
  readonly next: KeyRange | undefined
}

/** What the rows of a backend come to, estimated where a sample was counted. */
export interface Measure {
  /** Live items, without placeholders. */
  readonly items: number
  /** Of keys and values. */
  readonly bytes: number
}

export interface Limits {
  readonly rows: number
  readonly bytes: number
}

/** What there was, and the keys that were removed from it. */
export interface Eviction extends Limits {
  readonly live: readonly string[]
  /** Those that had expired and only took room. */
  readonly expired: readonly string[]
}

const keysPerPage = 1000
const rowsPerClear = 5000

/** The operations of the backend on whole batches, each as one statement. Keys of a batch must differ. */
export class Table {
  readonly #options: TableOptions

  constructor(options: TableOptions) {
    this.#options = options
  }

  /** Milliseconds since the epoch by the clock that was handed in, else by this machine. */
  now(): number {
    return this.#options.clock?.now() ?? Date.now()
  }

  record(item: Item): Record {
    return toRecord(item, this.#options.keys.encode(item.key), this.#options.format)
  }

  stored(key: string): StoredKey {
    return this.#options.keys.encode(key)
  }

  /** That of a call with nobody beside it, who would have to wait with it. */
  patience(timeout: number): Patience {
    return { timeout, lock: this.#options.lockTimeout }
  }

  /** Whether values are encrypted, so that SQL cannot count with them. */
  get isSealed(): boolean {
    return this.#options.format.sealed
  }

  /** The items in the order of the keys, which may repeat. */
  async get(keys: readonly string[], timeout?: number): Promise<(Item | undefined)[]> {
    const { statements, format, onDamaged } = this.#options
    if (keys.length === 1) {
      const key = keys[0] as string
      const { id, whole } = this.stored(key)
      const [row] = await this.#run(statements.getOne, [this.#instant(), id], 'get', timeout)
      return [row === undefined || keyOfRow(row) !== whole ? undefined : toItem(key, row, format, onDamaged)]
    }
    const stored = keys.map((key) => this.stored(key))
    const ids = textArray(stored.map(({ id }) => id))
    const rows = await this.#run(statements.getMany, [this.#instant(), ids], 'getMany', timeout)
    const found = new Map(rows.map((row) => [keyOfRow(row), row]))
    return keys.map((key, index) => {
      const row = found.get((stored[index] as StoredKey).whole)
      return row === undefined ? undefined : toItem(key, row, format, onDamaged)
    })
  }

  /** Writes records over whatever is there. Those that have expired must have been sorted out. */
  async put(records: readonly Record[], patience?: Patience): Promise<void> {
    const { put, putOne } = this.#options.statements
    await this.#write(records.length === 1 ? putOne : put, records, [], 'set', patience)
  }

  /** Resolves to the ids of those that were written. */
  async putIfAbsent(records: readonly Record[], patience?: Patience): Promise<Set<string>> {
    const { putIfAbsent, putOneIfAbsent } = this.#options.statements
    return ids(
      await this.#write(records.length === 1 ? putOneIfAbsent : putIfAbsent, records, [], 'compareAndSet', patience),
    )
  }

  /** Writes each record where its expected version is. Resolves to the ids of those that were written. */
  async replace(records: readonly Record[], expected: readonly string[], patience?: Patience): Promise<Set<string>> {
    const { replace, replaceOne } = this.#options.statements
    return ids(
      await (records.length === 1
        ? this.#write(replaceOne, records, [expected[0] as string], 'compareAndSet', patience)
        : this.#write(replace, records, [textArray(expected)], 'compareAndSet', patience)),
    )
  }

  /** Removes each key where its expected version is. Resolves to the ids of those that were removed. */
  async removeVersions(
    keys: readonly StoredKey[],
    expected: readonly string[],
    patience?: Patience,
  ): Promise<Set<string>> {
    const removing = textArray(keys.map(({ id }) => id))
    const values = [this.#instant(), this.#lockTimeout(patience), removing, textArray(expected)]
    return ids(await this.#run(this.#options.statements.removeVersions, values, 'compareAndSet', patience?.timeout))
  }

  /** Resolves to the whole encoded keys at which a live value was. */
  async remove(keys: readonly StoredKey[], patience: Patience): Promise<Set<string>> {
    const left = timeLeft('delete', patience.timeout)
    const removed = await this.#remove(keys, patience)
    if (this.#options.holds) await this.#hold(keys, removed, left)
    return new Set(removed.filter((row) => row[2] === 'true').map((row) => row[1] as string))
  }

  async #remove(keys: readonly StoredKey[], patience: Patience): Promise<Row[]> {
    const { statements } = this.#options
    const [first] = keys
    const isOne = keys.length === 1 && first !== undefined
    const ids = isOne ? first.id : textArray(keys.map(({ id }) => id))
    const statement = isOne ? statements.removeOne : statements.remove
    const values = [this.#instant(), this.#lockTimeout(patience), ids]
    return await this.#run(statement, values, 'delete', patience.timeout)
  }

  /**
   * Keeps others from storing under the keys until the transaction ends. A row that was removed does so by itself; where
   * none was, a load could otherwise begin before the commit, read the application's old data, and store them after it.
   */
  async #hold(keys: readonly StoredKey[], removed: readonly Row[], left: () => number): Promise<void> {
    const held = new Set(removed.map((row) => row[0] as string))
    const { statements } = this.#options
    for (;;) {
      const free = keys.filter(({ id }) => !held.has(id))
      if (free.length === 0) return
      const rows = await this.#run(statements.hold, [textArray(free.map(({ id }) => id))], 'delete', left())
      const made = rows.map((row) => row[0] as string)
      if (made.length > 0) await this.#run(statements.release, [textArray(made)], 'delete', left())
      for (const id of made) held.add(id)
      // The rest was stored by others in between: that, too, is from before the commit.
      const rest = free.filter(({ id }) => !held.has(id))
      if (rest.length > 0) for (const row of await this.#remove(rest, { timeout: left() })) held.add(row[0] as string)
    }
  }

  /** Adds each record's number. Resolves to the sums by id; a key that is refused is not among them, nor a damaged one. */
  async increment(records: readonly Record[], patience?: Patience): Promise<Map<string, number>> {
    const rows = await this.#write(this.#options.statements.increment, records, [], 'increment', patience)
    const sums = new Map<string, number>()
    for (const [id, sum, value] of rows) {
      // SQL has added to the column whatever the bytes beside it say.
      if (this.#isCounter(bytesOf(value))) sums.set(id as string, Number(sum))
    }
    return sums
  }

  /** The row as it is stored, whether its bytes can be read or not. */
  async raw(key: string, timeout: number): Promise<Row | undefined> {
    const { id, whole } = this.stored(key)
    const [row] = await this.#run(this.#options.statements.raw, [this.#instant(), id], 'compareAndSet', timeout)
    return row === undefined || keyOfRow(row) !== whole ? undefined : row
  }

  /** The item of a raw row, `undefined` when its bytes cannot be read. Tells nobody: who reads the key is told. */
  itemOf(key: string, row: Row): Item | undefined {
    return toItem(key, row, this.#options.format, () => {})
  }

  /** Writes the record over a row whose bytes could not be read, if it still is the same one. */
  async replaceDamaged(record: Record, row: Row, patience: Patience): Promise<boolean> {
    const more = [row[3] as string, bytesOf(row[1])]
    const rows = await this.#write(this.#options.statements.replaceDamaged, [record], more, 'compareAndSet', patience)
    return rows.length > 0
  }

  /** The ranges of keys that begin with the prefix. */
  ranges(prefix: string): readonly KeyRange[] {
    return this.#options.keys.ranges(prefix)
  }

  /** Removes some rows of the range; resolves to the rest of it, `undefined` when it is empty. */
  async clear(range: KeyRange, timeout?: number): Promise<KeyRange | undefined> {
    const { statements } = this.#options
    const values = [this.#lockTimeout(undefined), rowsPerClear, ...parameters(range)]
    const [row] = await this.#run(statements.clear, values, 'clear', timeout)
    const last = row?.[1]
    return Number(row?.[0]) < rowsPerClear || typeof last !== 'string' ? undefined : after(range, last)
  }

  /** Resolves to some live keys of the range. */
  async page(range: KeyRange, timeout?: number): Promise<Page> {
    const { statements, keys } = this.#options
    const values = [this.#instant(), keysPerPage, ...parameters(range)]
    const rows = await this.#run(statements.keys, values, 'keys', timeout)
    const last = rows.at(-1)?.[0]
    return {
      keys: rows.map((row) => keys.decode(row[1] as string)),
      next: rows.length < keysPerPage || typeof last !== 'string' ? undefined : after(range, last),
    }
  }

  /** Pages of the table, those of its large values left out. */
  async pages(): Promise<number> {
    const [row] = await this.#run(this.#options.statements.pages, [], 'stats')
    return Number(row?.[0])
  }

  /** Counts what a sample of the pages holds. */
  async measure(percent: number): Promise<Measure> {
    const values = [this.#instant(), percent, ...this.#own()]
    const [row] = await this.#run(this.#options.statements.measure, values, 'stats')
    const [items, bytes] = [0, 1].map((column) => Math.round((Number(row?.[column]) * 100) / percent))
    return { items: items as number, bytes: bytes as number }
  }

  /** Removes expired rows of the pages from `first` on and before `end`, at most `limit`; resolves to their keys. */
  async sweep(first: number, end: number, limit: number): Promise<string[]> {
    const values = [this.#instant(), limit, ...this.#own(), `(${first},0)`, `(${end},0)`]
    const rows = await this.#run(this.#options.statements.sweep, values, 'removeExpired')
    return rows.map((row) => this.#options.keys.decode(keyOfRow(row)))
  }

  /** Counts a sample of the pages, and removes its oldest rows where it comes to more than `limits`. */
  async evict(percent: number, limits: Limits, target: Limits, most: number): Promise<Eviction> {
    const values = [
      this.#instant(),
      percent,
      ...this.#own(),
      limits.rows,
      limits.bytes,
      target.rows,
      target.bytes,
      most,
    ].map((value) => (typeof value === 'number' && !Number.isFinite(value) ? 'Infinity' : value))
    const found = await this.#run(this.#options.statements.evict, values, 'evict')
    const keysOf = (wasLive: string): string[] =>
      found.filter((row) => row[3] === wasLive).map((row) => this.#options.keys.decode(row[2] as string))
    const [live, expired] = [keysOf('true'), keysOf('false')]
    const [rows, bytes] = [Number(found[0]?.[0]), Number(found[0]?.[1])]
    return { rows, bytes, live, expired }
  }

  #own(): Parameter[] {
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

  /** `$1`: null where the server's clock rules. */
  #instant(): number | null {
    return this.#options.clock === undefined ? null : this.#options.clock.now()
  }

  #write(
    statement: Statement,
    records: readonly Record[],
    more: readonly Parameter[],
    operation: string,
    patience: Patience | undefined,
  ): Promise<Row[]> {
    const { putOne, putOneIfAbsent, replaceOne } = this.#options.statements
    const [first] = records
    const isForOne = statement === putOne || statement === putOneIfAbsent || statement === replaceOne
    const columns = isForOne ? columnsOfOne(first as Record, this.now()) : columnsOf(records, this.now())
    const values = [this.#instant(), this.#lockTimeout(patience), ...columns, ...more]
    return this.#run(statement, values, operation, patience?.timeout)
  }

  /** What the statement itself must set; a call that says nothing waits for the whole time. */
  #lockTimeout(patience: Patience | undefined): string | null {
    const { session, lockTimeout } = this.#options
    const lock = patience === undefined ? lockTimeout : patience.lock
    return lockTimeout === undefined || lock === undefined ? session.lockTimeout : `${lock}ms`
  }

  #run(
    statement: Statement,
    values: readonly Parameter[],
    operation: string,
    timeout: number = this.#options.timeout,
  ): Promise<Row[]> {
    return this.#options.session.run(statement, values, operation, timeout)
  }
}

function ids(rows: readonly Row[]): Set<string> {
  return new Set(rows.map((row) => row[0] as string))
}

function parameters(range: KeyRange): Parameter[] {
  return [range.idFrom, range.idTo, range.from, range.to]
}

/** What follows an id: `text` has no NUL, so nothing lies between an id and the same with the next character. */
function after(range: KeyRange, id: string): KeyRange {
  return { ...range, idFrom: `${id}\u0001` }
}
