import { ItemFormat } from '@cache/codecs'
import {
  type BackendPart,
  type BackendStats,
  type CacheBackend,
  type CacheError,
  EventHub,
  type Item,
  Lifecycle,
  openOrClosed,
} from '@cache/core/backend'
import type { BatchLimits } from './batching/batched-statements.ts'
import { Counters } from './batching/counters.ts'
import { Semaphore } from './batching/semaphore.ts'
import { ClientSession } from './connections/client-session.ts'
import { checkClient } from './connections/connection-options.ts'
import { openSession } from './connections/open-session.ts'
import type { PgClient } from './connections/pg-shapes.ts'
import { retryConflicts } from './connections/retry-conflicts.ts'
import type { Session } from './connections/session.ts'
import { errorOfCall, postgresError } from './errors.ts'
import { ItemReader } from './item-reader.ts'
import { ItemWriter } from './item-writer.ts'
import { type PostgresBackendOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { BackendKeys, type KeyRange } from './table/backend-key.ts'
import { Maintenance } from './table/maintenance.ts'
import { migrate } from './table/migrate.ts'
import { quotedTable } from './table/schema.ts'
import { statementsFor } from './table/statements.ts'
import { Table } from './table/table.ts'
import { eventLoopClock } from './timeouts/event-loop-clock.ts'
import { startTimeout } from './timeouts/start-timeout.ts'

/** The application's transaction that a handle takes part in. */
interface Transaction {
  readonly client: PgClient
  readonly ready: () => Promise<void>
}

/** The constructor with the parameter that only `inTransaction` passes. */
type WithTransaction = new (options: PostgresBackendOptions, transaction: Transaction) => PostgresBackend

/**
 * A cache backend on a table of PostgreSQL.
 *
 * The calls of one tick travel in one statement. Expiry follows the server's clock, so the clocks of the processes that
 * share the table have no effect. The backend creates the table before the first use, unless `migrate` is false.
 */
export class PostgresBackend implements CacheBackend {
  readonly name: string = 'postgres'
  readonly #given: PostgresBackendOptions
  readonly #transaction: Transaction | undefined
  readonly #options: ResolvedOptions
  readonly #session: Session
  readonly #table: Table
  readonly #reader: ItemReader
  readonly #writer: ItemWriter
  readonly #counters: Counters
  readonly #maintenance: Maintenance
  readonly #semaphore: Semaphore
  readonly #hub: EventHub = new EventHub()
  readonly #lifecycle = new Lifecycle('postgres')
  #ready: Promise<void> | undefined

  /** Connects with the first call. Throws `INVALID_ARGUMENT`. */
  constructor(options: PostgresBackendOptions)
  constructor(options: PostgresBackendOptions, transaction?: Transaction) {
    this.#given = options
    this.#transaction = transaction
    this.#options = resolveOptions(options)
    const { connections, schema, prefix, clock, format, maxEntries, maxBytes } = this.#options
    const { timeout } = connections
    this.#session =
      transaction === undefined
        ? openSession(connections, (error) => this.#emitError(postgresError(error, 'connection')))
        : // A lock limit would stay in force until the application's transaction ends. A lost prepared statement would end
          // that transaction.
          new ClientSession(transaction.client, { prepare: false, lockTimeout: null })
    // Without a limit, statements never fail for a locked row: a failed statement would end the application's
    // transaction.
    const lockTimeout = transaction === undefined ? connections.lockTimeout : undefined
    const table = new Table({
      session: this.#session,
      run: transaction === undefined ? retryConflicts(this.#session.run) : this.#session.run,
      statements: statementsFor(quotedTable(schema), prefix === ''),
      keys: new BackendKeys(prefix),
      format: new ItemFormat(format, JSON.stringify(['postgres', schema.schema, schema.table, prefix]), clock),
      clock,
      timeout,
      lockTimeout,
      locksMissing: transaction !== undefined,
      onDamaged: (error) => this.#emitError(error),
    })
    this.#table = table
    this.#maintenance = new Maintenance({ table, hub: this.#hub, maxEntries, maxBytes })
    const openAtOnce = connections.pool?.options?.max ?? connections.maxConnections
    this.#semaphore = new Semaphore(Math.max(1, Math.floor(openAtOnce / 2)))
    const limits: BatchLimits = {
      timeout,
      lockTimeout,
      connections: openAtOnce,
      semaphore: this.#semaphore,
      ready: () => this.#whenReady(),
    }
    const onWritten = (rows: number, bytes: number): void => {
      // Rows removed in the application's transaction would stay locked until its end.
      if (transaction === undefined) this.#maintenance.countWrite(rows, bytes)
    }
    this.#reader = new ItemReader(table, limits)
    this.#writer = new ItemWriter({ table, limits, onWritten })
    this.#counters = new Counters({ table, limits, onWritten })
  }

  /**
   * A handle on the same items whose statements run on `client`, in its open transaction: they take effect with the
   * commit, and a rollback undoes them. `Cache.inTransaction` calls this. Applications delete the items that the
   * transaction makes outdated:
   *
   *     await client.query('begin')
   *     await client.query('update users set name = $1 where id = 42', ['Ada'])
   *     await cache.inTransaction(client).delete('user:42')
   *     await client.query('commit')
   *
   * Until the commit, other callers get the old value, and writes to a deleted key wait. So a load that began before
   * the commit never stores old data after it. `clear` removes the items that it finds, and does not lock missing keys.
   * A statement that fails ends the transaction, like any other statement.
   */
  inTransaction(client: PgClient): PostgresBackend {
    this.#lifecycle.refuseWhenClosed('inTransaction')
    return new (PostgresBackend as WithTransaction)(this.#given, {
      client: checkClient(client, 'inTransaction'),
      ready: () => this.#whenReady(),
    })
  }

  readonly listen: NonNullable<CacheBackend['listen']> = this.#hub.listen

  get(key: string): Promise<Item | undefined> {
    return this.#attempt('get', key, () => this.#reader.get(key))
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#attempt('getMany', undefined, () => this.#reader.getMany(keys))
  }

  set(item: Item): Promise<void> {
    return this.#attempt('set', item.key, () => this.#writer.set(item))
  }

  setMany(items: readonly Item[]): Promise<void> {
    return this.#attempt('setMany', undefined, () => this.#writer.setMany(items))
  }

  delete(key: string): Promise<boolean> {
    return this.#attempt('delete', key, () => this.#writer.delete(key))
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#attempt('deleteMany', undefined, () => this.#writer.deleteMany(keys))
  }

  clear(prefix = ''): Promise<void> {
    return this.#attempt('clear', undefined, () => this.#writer.clear(prefix))
  }

  compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    return this.#attempt('compareAndSet', key, () => this.#writer.compareAndSet(key, expected, next))
  }

  increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    return this.#attempt('increment', key, () => this.#counters.increment(key, delta, expiresAt))
  }

  async *keys(prefix = ''): AsyncGenerator<string, void, undefined> {
    await this.#attempt('keys', undefined, () => this.#whenReady())
    for (const range of this.#table.ranges(prefix)) {
      for (let rest: KeyRange | undefined = range; rest !== undefined; ) {
        const from: KeyRange = rest
        const page = await this.#attempt('keys', undefined, () => this.#table.keyPage(from))
        yield* page.keys
        rest = page.next
      }
    }
  }

  stats(): Promise<BackendStats> {
    return this.#attempt('stats', undefined, async () => {
      await this.#whenReady()
      return await this.#maintenance.stats()
    })
  }

  /** `pending`: batches that wait for a free connection. */
  describe(): BackendPart {
    const state = openOrClosed(this.#lifecycle.isClosed)
    return { kind: 'store', name: this.name, ...state, pending: this.#semaphore.waiting, backend: this }
  }

  /**
   * Removes all expired items and resolves to their number. Expired items are never served, and writes remove some of
   * them as they go, so this is for tables with few writes. Several processes may call it at once.
   */
  removeExpired(): Promise<number> {
    return this.#attempt('removeExpired', undefined, async () => {
      await this.#whenReady()
      return await this.#maintenance.removeExpired()
    })
  }

  /**
   * Waits for the calls in flight, then closes the connections that the backend opened. The removal of expired and
   * surplus items ends after `timeout`, finished or not.
   */
  close(): Promise<void> {
    let stopTimeout = (): void => {}
    return this.#lifecycle.close(
      async () => {
        await this.#maintenance.waitForSteps()
        stopTimeout()
        await this.#session.close()
      },
      () => {
        stopTimeout = startTimeout(this.#options.connections.timeout, () => this.#maintenance.stop())
      },
    )
  }

  async #whenReady(): Promise<void> {
    // The table is created on another connection: other processes need it even after a rollback of the transaction.
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

  /** One call: it is refused after `close`, `close` waits for it, and its error carries its name and key. */
  async #attempt<Result>(method: string, key: string | undefined, work: () => Promise<Result>): Promise<Result> {
    this.#lifecycle.refuseWhenClosed(method, key)
    this.#lifecycle.begin()
    eventLoopClock.begin()
    try {
      return await work()
    } catch (error) {
      throw errorOfCall(error, method, key)
    } finally {
      eventLoopClock.end()
      this.#lifecycle.end()
    }
  }

  #emitError(error: CacheError): void {
    if (this.#hub.wants('error')) this.#hub.emit({ type: 'error', error })
  }
}
