import {
  type BackendEvent,
  type BackendPart,
  type BusMessage,
  type CacheBackend,
  type CloseDeadline,
  CompositeParts,
  checkComparison,
  checkIncrement,
  checkItem,
  checkItems,
  checkKey,
  checkKeys,
  checkPrefix,
  describeBackend,
  EventHub,
  forwardCapabilities,
  type Item,
  Lifecycle,
  type NearReader,
  openOrClosed,
} from '@cache/core/backend'
import { Authority } from './authority.ts'
import { BusLink } from './bus-link.ts'
import { asCacheError, backendName } from './errors.ts'
import { LayeredReader } from './layered-reader.ts'
import type { LayeredStats, LayerStats } from './layered-stats.ts'
import { LayeredTransaction } from './layered-transaction.ts'
import { LayeredWriter } from './layered-writer.ts'
import { NearSide } from './near-side.ts'
import { type LayeredOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { Outage } from './outage.ts'
import { RecoveryQueue } from './recovery-queue.ts'
import { TagWindow } from './tag-window.ts'

/**
 * A backend made of layers: the last layer is the authority, and the near layers in front of it have copies. Reads go
 * from the nearest layer to the authority and copy the item into the layers before it. Writes go to the authority
 * first. Announcements on a bus keep the near layers of other processes from serving old copies.
 *
 * The authority alone has the records of the cache (tags, locks, rate limits) and does `compareAndSet`, `increment` and
 * `keys`; these are present where it has them. A near layer belongs to one `LayeredBackend`: nothing else may write to
 * it. Layered backends nest.
 */
export class LayeredBackend implements CacheBackend {
  readonly name: string = backendName
  readonly compareAndSet?: (key: string, expected: string | undefined, next: Item | undefined) => Promise<boolean>
  readonly increment?: (key: string, delta: number, expiresAt?: number) => Promise<number>
  readonly keys?: (prefix?: string) => AsyncIterable<string>
  /** Present where the authority and the bus have it. */
  readonly inTransaction?: (transaction: unknown) => CacheBackend
  /** The near copies and the remembered tag records. The reader of a copy compares its tags. */
  readonly near: NearReader
  readonly #options: ResolvedOptions
  readonly #hub = new EventHub()
  readonly #near: NearSide
  readonly #authority: Authority
  readonly #outage: Outage
  readonly #tags: TagWindow
  readonly #recovery: RecoveryQueue | undefined
  readonly #link: BusLink | undefined
  readonly #reader: LayeredReader
  readonly #writer: LayeredWriter
  readonly #life = new Lifecycle(backendName)
  readonly #parts: CompositeParts

  /** Throws `INVALID_ARGUMENT` for unknown options and wrong values. Subscribes to the bus in the background. */
  constructor(options: LayeredOptions) {
    const resolved = resolveOptions(options)
    const { authority, nears, nearTtl, tagWindow, clock, bus, recovery } = resolved
    const report = (error: unknown, key?: string): void => this.#report(error, 'near', key)
    this.#options = resolved
    this.#authority = new Authority(authority)
    this.#outage = new Outage(resolved.maxOutage, clock, this.#life, bus !== undefined)
    this.#tags = new TagWindow(
      this.#authority,
      this.#outage,
      tagWindow,
      clock,
      resolved.exactClock,
      (record) => this.#recovery?.has(record) === true,
    )
    this.#near = new NearSide(nears, this.#tags, this.#outage, nearTtl, clock, report, bus !== undefined)
    this.near = this.#near
    if (bus !== undefined) this.#tags.suspend()
    this.#link = bus === undefined ? undefined : new BusLink(bus, clock, this.#busListener())
    if (recovery !== undefined) {
      this.#recovery = new RecoveryQueue(authority, recovery, this.#hub, clock, async (announcement) => {
        await this.#link?.publish(announcement)
      })
    }
    this.#reader = new LayeredReader(this.#near, this.#authority, this.#outage, this.#tags, this.#recovery)
    this.#writer = new LayeredWriter(this.#near, this.#authority, this.#outage, this.#tags, this.#recovery, this.#link)
    forwardCapabilities<LayeredBackend>(this, [authority], {
      getMany: 'own',
      setMany: 'own',
      deleteMany: 'own',
      compareAndSet: (compareAndSet) => (key, expected, next) =>
        this.#life.run('compareAndSet', key, () => {
          checkComparison(key, expected, next)
          return this.#writer.compareAndSet(key, expected, next, () => compareAndSet(key, expected, next))
        }),
      increment: (increment) => (key, delta, expiresAt) =>
        this.#life.run('increment', key, () => {
          checkIncrement(key, delta, expiresAt)
          return this.#writer.increment(key, () => increment(key, delta, expiresAt))
        }),
      keys: (keys) => (prefix) => this.#keys(keys, prefix),
      stats: 'own',
      describe: 'own',
      listen: 'own',
      // Announcements that are not part of the transaction could arrive before its commit, and near copies would
      // outlive it.
      inTransaction: (inTransaction) => {
        const publisherIn = bus?.inTransaction?.bind(bus)
        if (publisherIn === undefined) return undefined
        return (transaction) => {
          this.#life.refuseWhenClosed('inTransaction')
          return new LayeredTransaction(inTransaction(transaction), publisherIn(transaction))
        }
      },
      near: 'own',
      sync: { absent: 'other processes may change the last layer' },
      close: 'own',
    })
    const layers = [...nears, authority]
    this.#parts = new CompositeParts(bus === undefined ? layers : [bus, ...layers], resolved.closeParts)
  }

  get(key: string): Promise<Item | undefined> {
    return this.#life.run('get', key, () => {
      checkKey(key, 'get')
      return this.#reader.get(key)
    })
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#life.run('getMany', undefined, () => {
      checkKeys(keys, 'getMany')
      return this.#reader.getMany(keys)
    })
  }

  set(item: Item): Promise<void> {
    return this.#life.run('set', item?.key, () => {
      checkItem(item, 'set')
      return this.#writer.set(item)
    })
  }

  setMany(items: readonly Item[]): Promise<void> {
    return this.#life.run('setMany', undefined, () => {
      checkItems(items, 'setMany')
      return this.#writer.setMany(items)
    })
  }

  /**
   * Rejects when the last layer fails. With `recovery` it resolves instead to whether the nearest layer had a value,
   * and the delete is done and announced later. Rejects with `QUEUE_FULL` when the recovery queue is full.
   * `deleteMany` and `clear` do the same.
   */
  delete(key: string): Promise<boolean> {
    return this.#life.run('delete', key, () => {
      checkKey(key, 'delete')
      return this.#writer.delete(key)
    })
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#life.run('deleteMany', undefined, () => {
      checkKeys(keys, 'deleteMany')
      return this.#writer.deleteMany(keys)
    })
  }

  clear(prefix?: string): Promise<void> {
    return this.#life.run('clear', undefined, () => {
      checkPrefix(prefix, 'clear')
      return this.#writer.clear(prefix)
    })
  }

  stats(): Promise<LayeredStats> {
    return this.#life.run('stats', undefined, () => this.#stats())
  }

  /** The layers, nearest first, the bus and the recovery queue. The backend is down whenever the last layer is. */
  describe(): BackendPart {
    const { authority, nears } = this.#options
    const parts = nears.map(describeBackend)
    parts.push({ ...describeBackend(authority), essential: true })
    if (this.#link !== undefined) parts.push(this.#link.describe())
    if (this.#recovery !== undefined) parts.push(this.#recovery.describe())
    return { kind: 'store', name: backendName, ...openOrClosed(this.#life.isClosed), parts }
  }

  /**
   * Forwards the events of the last layer, and the errors of the near layers. An eviction from a near layer loses no
   * item.
   */
  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    const { authority, nears } = this.#options
    const stops = [this.#hub.listen(listener, types), authority.listen?.(listener, types)]
    if (types === undefined || types.includes('error')) {
      const errors = (event: BackendEvent): void => {
        if (event.type === 'error') listener(event)
      }
      for (const near of nears) stops.push(near.listen?.(errors, ['error']))
    }
    return () => {
      for (const stop of stops.splice(0)) stop?.()
    }
  }

  /** Retries the deletes in the recovery queue at once. Never rejects. */
  async recover(): Promise<void> {
    await this.#recovery?.drain()
  }

  /**
   * Waits for calls in flight, ends the subscription to the bus, then closes the layers and the bus. A layer or bus
   * with another open user stays open; with `closeParts: false` all of them do. Rejects with the first failure after
   * all have closed, and with `TIMEOUT` after 10 seconds if a part hangs.
   */
  close(): Promise<void> {
    return this.#life.closeInTime((deadline) => this.#close(deadline), {
      clock: this.#options.clock,
      prepare: () => this.#near.close(),
    })
  }

  async #close(deadline: CloseDeadline): Promise<void> {
    try {
      await deadline.wait('the recovery queue', this.#closeRecovery(), 0.7)
      if (this.#link !== undefined) await deadline.wait('the subscription to the bus', this.#link.close(), 0.9)
    } finally {
      const lost = this.#recovery?.size ?? 0
      if (lost > 0) this.#report(new Error(`close: ${lost} deletes of the recovery queue were not done`), 'close')
      this.#tags.close()
      await this.#parts.close(deadline)
    }
  }

  async #closeRecovery(): Promise<void> {
    await this.#recovery?.close()
  }

  async *#keys(keysOf: NonNullable<CacheBackend['keys']>, prefix: string | undefined): AsyncGenerator<string> {
    this.#life.refuseWhenClosed('keys')
    checkPrefix(prefix, 'keys')
    for await (const key of keysOf(prefix)) {
      if (!this.#recovery?.has(key)) yield key
    }
  }

  async #stats(): Promise<LayeredStats> {
    const layers: LayerStats[] = []
    for (const { backend, hits } of this.#near.layers) {
      layers.push({ ...(await backend.stats?.()), name: backend.name, reads: hits })
    }
    const { backend, reads } = this.#authority
    const remote = (await backend.stats?.()) ?? {}
    layers.push({ ...remote, name: backend.name, reads })
    return { ...remote, layers, pendingDeletes: this.#recovery?.size ?? 0 }
  }

  #busListener() {
    return {
      message: (message: BusMessage) => this.#onMessage(message),
      connected: () =>
        this.#outage.busReturned(() => {
          this.#tags.resume()
          this.#near.connected()
        }),
      disconnected: () => {
        this.#outage.busLost(this.#near.trusted)
        this.#tags.suspend()
        this.#near.disconnected()
      },
      error: (error: unknown, operation: string) => this.#report(error, operation),
    }
  }

  /** Messages may be late, doubled or out of order. They only make keys suspect; the authority decides (RACES R13). */
  #onMessage(message: BusMessage): void {
    const keys = message.kind === 'clear' ? [] : message.keys
    if (this.#hub.wants('busMessage')) this.#hub.emit({ type: 'busMessage', kind: message.kind, keys: keys ?? [] })
    if (message.kind === 'clear') {
      this.#tags.forgetPrefix(message.prefix)
      void this.#near.clear(message.prefix)
    } else if (keys === undefined) {
      this.#tags.forgetPrefix('')
      this.#near.restart()
    } else {
      for (const [index, key] of keys.entries()) {
        this.#tags.forget(key)
        this.#near.suspect(key, message.kind === 'set' ? message.versions[index] : undefined)
      }
    }
  }

  #report(error: unknown, operation: string, key?: string): void {
    if (this.#hub.wants('error')) this.#hub.emit({ type: 'error', error: asCacheError(error, operation, key) })
  }
}
