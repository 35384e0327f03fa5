import { ItemFormat } from '@cache/codecs'
import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  type CacheError,
  EventHub,
  type Item,
} from '@cache/core/backend'
import type { ClientBase } from 'pg'
import { Lanes } from './batching/batched-statements.ts'
import { ClientSession } from './connections/client-session.ts'
import { openSession } from './connections/open-session.ts'
import type { Session } from './connections/session.ts'
import { closedError, named, postgresError } from './errors.ts'
import { checkClient, type PostgresBackendOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { type KeyRange, StoredKeys } from './table/backend-key.ts'
import { Counting } from './table/counter-loop.ts'
import { Housekeeper } from './table/maintenance.ts'
import { migrate } from './table/migrate.ts'
import type { Record } from './table/row.ts'
import { quotedTable } from './table/schema.ts'
import { statementsFor } from './table/statements.ts'
import { Table } from './table/table.ts'
import { loopClock } from './timeouts/event-loop-clock.ts'
import { timeLeft } from './timeouts/time-left.ts'

/** The application's transaction that a handle takes part in. */
interface Transaction {
  readonly client: ClientBase
  readonly ready: () => Promise<void>
}

/**
 * A cache backend on a table of PostgreSQL.
 *
 * Calls of one tick travel as one statement. Expiry goes by the server's clock, so that the clocks of the processes that
 * share the table do not matter. The table is made before the first use, unless `migrate` is off.
 */
export class PostgresBackend implements CacheBackend {
  readonly name: string = 'postgres'
  readonly #given: PostgresBackendOptions
  readonly #transaction: Transaction | undefined
  readonly #options: ResolvedOptions
  readonly #session: Session
  readonly #table: Table
  readonly #lanes: Lanes
  readonly #housekeeper: Housekeeper
  readonly #hub: EventHub = new EventHub()
  readonly #counting: Counting
  #ready: Promise<void> | undefined
  #underWay = 0
  #whenIdle: (() => void) | undefined
  #closing: Promise<void> | undefined

  /** Throws `INVALID_ARGUMENT`. Connects with the first call. `transaction` is for `inTransaction` alone. */
  constructor(options: PostgresBackendOptions, transaction?: Transaction) {
    this.#given = options
    this.#transaction = transaction
    this.#options = resolveOptions(options)
    const { connections, schema, prefix, clock, format, maxEntries, maxBytes } = this.#options
    this.#session =
      transaction === undefined
        ? openSession(connections, (error) => this.#tell(postgresError(error, 'connection')))
        : // A limit for waiting would stay in force until the application's transaction ends; and a name that the session has
          // lost would end it.
          new ClientSession(transaction.client, { prepare: false, lockTimeout: null })
    // Of the application's transaction nothing is set, and what fails there is its end.
    const lockTimeout = transaction === undefined ? connections.lockTimeout : undefined
    this.#table = new Table({
      session: this.#session,
      statements: statementsFor(quotedTable(schema), prefix === ''),
      keys: new StoredKeys(prefix),
      format: new ItemFormat(format),
      clock,
      timeout: connections.timeout,
      lockTimeout,
      holds: transaction !== undefined,
      onDamaged: (error) => this.#tell(error),
    })
    this.#housekeeper = new Housekeeper({ table: this.#table, hub: this.#hub, maxEntries, maxBytes })
    this.#counting = new Counting(this.#table)
    this.#lanes = new Lanes({
      table: this.#table,
      counting: this.#counting,
      timeout: connections.timeout,
      lockTimeout,
      connections: connections.pool?.options?.max ?? connections.maxConnections,
      ready: () => this.#whenReady(),
      onWritten: (rows, bytes) => {
        // What is swept in the application's transaction would stay locked until its end.
        if (transaction === undefined) this.#housekeeper.wrote(rows, bytes)
      },
    })
  }

  /**
   * A handle on the same items whose statements run on `client`, in the transaction that it is in: they take effect with its
   * commit, and not at all when it is rolled back. `Cache.inTransaction` makes one, and it is there that applications delete what
   * the transaction makes wrong:
   *
   *     await client.query('begin')
   *     await client.query('update users set name = $1 where id = 42', ['Ada'])
   *     await cache.inTransaction(client).delete('user:42')
   *     await client.query('commit')
   *
   * Until the commit others are served the old value, and whoever wants to store under a deleted key waits for it, so that
   * no load that began before the commit stores old data after it. `clear` removes what it finds, and holds no key that was
   * missing. A statement that fails ends the transaction, as any does.
   */
  inTransaction(client: ClientBase): PostgresBackend {
    if (this.#closing !== undefined) throw closedError('inTransaction')
    return new PostgresBackend(this.#given, {
      client: checkClient(client, 'inTransaction'),
      ready: () => this.#whenReady(),
    })
  }

  readonly listen = (listener: (event: BackendEvent) => void): (() => void) => this.#hub.listen(listener)

  get(key: string): Promise<Item | undefined> {
    return this.#attempt('get', key, () => this.#lanes.get(key))
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#attempt('getMany', undefined, () => this.#lanes.getMany(keys))
  }

  set(item: Item): Promise<void> {
    return this.#attempt('set', item.key, () => this.#put(item, this.#table.record(item)))
  }

  setMany(items: readonly Item[]): Promise<void> {
    return this.#attempt('setMany', undefined, async () => {
      // Every value is encoded before the first is sent, so that one that cannot be kept leaves all others alone. Of
      // duplicates the last one wins.
      const records = new Map(items.map((item) => [item.key, { item, record: this.#table.record(item) }]))
      const all = [...records.values()]
      const over = new Set(all.filter(({ item }) => this.#isOver(item)))
      const rest = over.size === 0 ? all : all.filter((one) => !over.has(one))
      await Promise.all([
        this.#lanes.putMany(rest.map(({ record }) => record)),
        ...[...over].map(({ item }) => this.#lanes.remove(item.key)),
      ])
    })
  }

  delete(key: string): Promise<boolean> {
    return this.#attempt('delete', key, () => this.#lanes.remove(key))
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#attempt('deleteMany', undefined, async () => {
      const removed = await Promise.all([...new Set(keys)].map((key) => this.#lanes.remove(key)))
      return removed.filter((wasLive) => wasLive).length
    })
  }

  clear(prefix = ''): Promise<void> {
    return this.#attempt('clear', undefined, async () => {
      await this.#whenReady()
      for (const range of this.#table.ranges(prefix)) {
        // In steps, so that neither locks nor the time of one statement grow with the table. Items are met in the order of
        // their keys, and those that were there before are all met.
        for (let rest: KeyRange | undefined = range; rest !== undefined; ) rest = await this.#table.clear(rest)
      }
    })
  }

  compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    return this.#attempt('compareAndSet', key, () => this.#compareAndSet(key, expected, next))
  }

  increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    return this.#attempt('increment', key, async () => {
      const left = timeLeft('increment', this.#options.connections.timeout)
      const sum = await this.#lanes.increment(key, delta, expiresAt)
      if (sum !== undefined) return sum
      const patience = this.#table.patience(left())
      if (this.#table.isSealed) return await this.#counting.sealed(key, delta, expiresAt, patience)
      return await this.#counting.alone(key, delta, expiresAt, patience)
    })
  }

  async *keys(prefix = ''): AsyncGenerator<string, void, undefined> {
    await this.#attempt('keys', undefined, () => this.#whenReady())
    for (const range of this.#table.ranges(prefix)) {
      for (let rest: KeyRange | undefined = range; rest !== undefined; ) {
        const from: KeyRange = rest
        const page = await this.#attempt('keys', undefined, () => this.#table.page(from))
        yield* page.keys
        rest = page.next
      }
    }
  }

  stats(): Promise<BackendStats> {
    return this.#attempt('stats', undefined, async () => {
      await this.#whenReady()
      return await this.#housekeeper.stats()
    })
  }

  /**
   * Removes every expired item and resolves to how many there were. Expired items are never served, and writes remove some
   * of them as they go, so this is for tables that are seldom written to. Several processes may do it at once.
   */
  removeExpired(): Promise<number> {
    return this.#attempt('removeExpired', undefined, async () => {
      await this.#whenReady()
      return await this.#housekeeper.removeExpired()
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // Whatever is under way runs on, and what it still needs is closed after it.
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve
      })
    }
    await this.#housekeeper.settled()
    await this.#session.close()
  }

  /** An item that nothing is left of leaves the key empty. */
  async #put(item: Item, record: Record): Promise<void> {
    if (this.#isOver(item)) await this.#lanes.remove(item.key)
    else await this.#lanes.put(record)
  }

  async #compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    // The further statements of one call have what is left of its time.
    const left = timeLeft('compareAndSet', this.#options.connections.timeout)
    const made = next === undefined ? undefined : this.#table.record(next)
    const record = next === undefined || this.#isOver(next) ? undefined : made
    if (expected !== undefined) {
      return await (record === undefined
        ? this.#lanes.removeVersion(key, expected)
        : this.#lanes.replace(record, expected))
    }
    if (record !== undefined && (await this.#lanes.putIfAbsent(record))) return true
    await this.#whenReady()
    const row = await this.#table.raw(key, left())
    if (record === undefined && row === undefined) return true
    if (row === undefined || this.#table.itemOf(key, row) !== undefined) return false
    // What cannot be read counts as absent.
    return record === undefined || (await this.#table.replaceDamaged(record, row, this.#table.patience(left())))
  }

  #isOver(item: Item): boolean {
    return item.expiresAt !== undefined && item.expiresAt <= this.#table.now()
  }

  async #whenReady(): Promise<void> {
    // The table is made on a connection of its own: it must be there for others, too, whatever becomes of the transaction.
    if (this.#transaction !== undefined) return await this.#transaction.ready()
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

  /** One operation: refused when closed, waited for by `close`, its failure named after it. */
  async #attempt<Result>(operation: string, key: string | undefined, work: () => Promise<Result>): Promise<Result> {
    if (this.#closing !== undefined) throw closedError(operation, key)
    this.#underWay += 1
    loopClock.begin()
    try {
      return await work()
    } catch (error) {
      throw named(error, operation, key)
    } finally {
      loopClock.end()
      this.#underWay -= 1
      if (this.#underWay === 0) this.#whenIdle?.()
    }
  }

  #tell(error: CacheError): void {
    if (this.#hub.active) this.#hub.emit({ type: 'error', error })
  }
}
