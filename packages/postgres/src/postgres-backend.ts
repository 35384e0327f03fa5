import { ItemFormat } from '@cache/codecs'
import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  CacheError,
  createVersion,
  EventHub,
  type Item,
} from '@cache/core/backend'
import { closedError, postgresError } from './errors.ts'
import { Housekeeper } from './housekeeper.ts'
import { Lanes } from './lanes.ts'
import { migrate } from './migrate.ts'
import { openSession } from './open-session.ts'
import { type PostgresBackendOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { quotedTable } from './schema.ts'
import type { Session } from './session.ts'
import { statementsFor } from './statements.ts'
import { StoredKeys } from './stored-key.ts'
import { Table } from './table.ts'

/**
 * A cache backend on a table of PostgreSQL.
 *
 * Calls of one tick travel as one statement. Expiry goes by the server's clock, so that the clocks of the processes that
 * share the table do not matter. The table is made before the first use, unless `migrate` is off.
 */
export class PostgresBackend implements CacheBackend {
  readonly name: string = 'postgres'
  readonly #options: ResolvedOptions
  readonly #session: Session
  readonly #table: Table
  readonly #lanes: Lanes
  readonly #housekeeper: Housekeeper
  readonly #hub: EventHub = new EventHub()
  #ready: Promise<void> | undefined
  #closing: Promise<void> | undefined

  /** Throws `INVALID_ARGUMENT`. Connects with the first call. */
  constructor(options: PostgresBackendOptions) {
    this.#options = resolveOptions(options)
    const { connections, schema, prefix, clock, format, maxEntries, maxBytes } = this.#options
    this.#session = openSession(connections, (error) => this.#tell(postgresError(error, 'connection')))
    this.#table = new Table({
      run: this.#session.run,
      statements: statementsFor(quotedTable(schema), prefix === ''),
      keys: new StoredKeys(prefix),
      format: new ItemFormat(format),
      clock,
      lockTimeout: `${connections.lockTimeout}ms`,
      timeout: connections.timeout,
      onDamaged: (error) => this.#tell(error),
    })
    this.#lanes = new Lanes({
      table: this.#table,
      timeout: connections.timeout,
      ready: () => this.#whenReady(),
      onWritten: (rows, bytes) => this.#housekeeper.wrote(rows, bytes),
    })
    this.#housekeeper = new Housekeeper({ table: this.#table, hub: this.#hub, maxEntries, maxBytes })
  }

  readonly listen = (listener: (event: BackendEvent) => void): (() => void) => this.#hub.listen(listener)

  async get(key: string): Promise<Item | undefined> {
    this.#refuseWhenClosed('get')
    return await this.#lanes.get(key)
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    this.#refuseWhenClosed('getMany')
    return await Promise.all(keys.map((key) => this.#lanes.get(key)))
  }

  async set(item: Item): Promise<void> {
    this.#refuseWhenClosed('set')
    const record = this.#table.record(item)
    if (this.#isOver(item)) await this.#lanes.remove(item.key)
    else await this.#lanes.put(record)
  }

  async setMany(items: readonly Item[]): Promise<void> {
    this.#refuseWhenClosed('setMany')
    // Every value is encoded before the first is sent, so that one that cannot be kept leaves all others alone. Of
    // duplicates the last one wins.
    const records = new Map(items.map((item) => [item.key, { item, record: this.#table.record(item) }]))
    const all = [...records.values()]
    await Promise.all(
      all.map(({ item, record }) => (this.#isOver(item) ? this.#lanes.remove(item.key) : this.#lanes.put(record))),
    )
  }

  async delete(key: string): Promise<boolean> {
    this.#refuseWhenClosed('delete')
    return await this.#lanes.remove(key)
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    this.#refuseWhenClosed('deleteMany')
    const removed = await Promise.all([...new Set(keys)].map((key) => this.#lanes.remove(key)))
    return removed.filter((wasLive) => wasLive).length
  }

  async clear(prefix = ''): Promise<void> {
    this.#refuseWhenClosed('clear')
    await this.#whenReady()
    for (const range of this.#table.ranges(prefix)) {
      // In steps, so that neither locks nor the time of one statement grow with the table. Items are met in the order of
      // their keys, and those that were there before are all met.
      for (let rest: typeof range | undefined = range; rest !== undefined; ) rest = await this.#table.clear(rest)
    }
  }

  async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    this.#refuseWhenClosed('swap')
    const record = next === undefined || this.#isOver(next) ? undefined : this.#table.record(next)
    if (expected !== undefined) {
      return await (record === undefined
        ? this.#lanes.removeVersion(key, expected)
        : this.#lanes.replace(record, expected))
    }
    if (record !== undefined && (await this.#lanes.putIfAbsent(record))) return true
    await this.#whenReady()
    const row = await this.#table.raw(key)
    if (record === undefined && row === undefined) return true
    if (row === undefined || this.#table.isSound(key, row)) return false
    // What cannot be read counts as absent.
    return record === undefined || (await this.#table.replaceDamaged(record, row))
  }

  async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    this.#refuseWhenClosed('increment')
    if (this.#table.isSealed) return await this.#incrementSealed(key, delta, expiresAt)
    const sum = await this.#lanes.increment(key, delta, expiresAt)
    return sum ?? (await this.#incrementAlone(key, delta, expiresAt))
  }

  async *keys(prefix = ''): AsyncGenerator<string, void, undefined> {
    this.#refuseWhenClosed('keys')
    await this.#whenReady()
    for (const range of this.#table.ranges(prefix)) {
      for (let rest: typeof range | undefined = range; rest !== undefined; ) {
        this.#refuseWhenClosed('keys')
        const page = await this.#table.page(rest)
        yield* page.keys
        rest = page.next
      }
    }
  }

  async stats(): Promise<BackendStats> {
    this.#refuseWhenClosed('stats')
    await this.#whenReady()
    return await this.#housekeeper.stats()
  }

  /**
   * Removes every expired item and resolves to how many there were. Expired items are never served, and writes remove some
   * of them as they go, so this is for tables that are seldom written to. Several processes may do it at once.
   */
  async cleanupExpired(): Promise<number> {
    this.#refuseWhenClosed('cleanupExpired')
    await this.#whenReady()
    return await this.#housekeeper.removeExpired()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#lanes.settled()
    await this.#housekeeper.settled()
    await this.#session.close()
  }

  /** The server, when it refuses a step, does not say why; looks for the reason, and tries again where there is none left. */
  async #incrementAlone(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    for (;;) {
      const record = this.#table.record(this.#counter(key, delta, expiresAt))
      const row = await this.#table.raw(key)
      // What cannot be read counts as absent.
      const isDamaged = row !== undefined && !this.#table.isSound(key, row)
      if (isDamaged && (await this.#table.replaceDamaged(record, row))) return delta
      if (isDamaged) continue
      const sum = (await this.#table.increment([record])).get(record.stored.id)
      if (sum !== undefined) return sum
      if (row === undefined) continue
      if (row[2] === null || row[2] === undefined) throw notANumber(key)
      if (!Number.isSafeInteger(Number(row[2]) + delta)) throw outOfRange(key)
    }
  }

  /** The server cannot read what is encrypted: a loop of compare-and-set. */
  async #incrementSealed(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    for (;;) {
      const item = await this.#lanes.get(key)
      const isCounter = item !== undefined && item.value !== undefined
      if (isCounter && !Number.isSafeInteger(item.value)) throw notANumber(key)
      const sum = isCounter ? (item.value as number) + delta : delta
      if (!Number.isSafeInteger(sum)) throw outOfRange(key)
      const next = isCounter ? { ...item, value: sum, version: createVersion() } : this.#counter(key, sum, expiresAt)
      if (await this.swap(key, item?.version, next)) return sum
    }
  }

  #counter(key: string, value: number, expiresAt: number | undefined): Item {
    const item = { key, value, version: createVersion(), createdAt: this.#table.now() }
    return expiresAt === undefined ? item : { ...item, expiresAt }
  }

  /** Whether nothing is left of the item's life. */
  #isOver(item: Item): boolean {
    return item.expiresAt !== undefined && item.expiresAt <= this.#table.now()
  }

  async #whenReady(): Promise<void> {
    if (!this.#options.migrate) return
    const { schema, connections } = this.#options
    this.#ready ??= migrate(this.#session, schema, connections.timeout)
    try {
      await this.#ready
    } catch (error) {
      // The next call tries again: the server may be back by then.
      this.#ready = undefined
      throw error
    }
  }

  #refuseWhenClosed(operation: string): void {
    if (this.#closing !== undefined) throw closedError(operation)
  }

  #tell(error: CacheError): void {
    if (this.#hub.active) this.#hub.emit({ type: 'error', error })
  }
}

function notANumber(key: string): CacheError {
  return new CacheError('NOT_A_NUMBER', 'increment: the value is not a whole number', {
    operation: 'increment',
    backend: 'postgres',
    key,
  })
}

function outOfRange(key: string): CacheError {
  return new CacheError('OUT_OF_RANGE', 'increment: the sum is not an exact whole number (2^53 - 1 at most)', {
    operation: 'increment',
    backend: 'postgres',
    key,
  })
}
