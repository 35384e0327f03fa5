import {
  type BackendEvent,
  type BusMessage,
  type CacheBackend,
  CompositeParts,
  EventHub,
  forwardCapabilities,
  type Item,
  Lifecycle,
  type NearReader,
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
import { RecoveryQueue } from './recovery-queue.ts'
import { TagWindow } from './tag-window.ts'

/**
 * A backend made of backends: near layers hold copies, the last layer is the authority. It reads near to far and copies what it
 * finds into the nearer layers, writes far to near, and announces changes over a bus, so that the near layers of other
 * processes never serve what they can know to be old. `compareAndSet`, `increment`, `keys` and the records of the cache itself (tags,
 * locks, rate limits) are the authority's; `compareAndSet`, `increment` and `keys` are present where it has them.
 *
 * A near layer belongs to one `LayeredBackend`: nothing else may write to it. Layered backends nest.
 */
export class LayeredBackend implements CacheBackend {
  readonly name: string = backendName
  readonly compareAndSet?: (key: string, expected: string | undefined, next: Item | undefined) => Promise<boolean>
  readonly increment?: (key: string, delta: number, expiresAt?: number) => Promise<number>
  readonly keys?: (prefix?: string) => AsyncIterable<string>
  /** Present where the authority and the bus have it: without announcements that come with the commit near copies would outlive it. */
  readonly inTransaction?: (transaction: unknown) => CacheBackend
  /** The near copies and remembered tag records that may be served as they are. Whoever reads one compares its tags. */
  readonly near: NearReader
  readonly #options: ResolvedOptions
  readonly #hub = new EventHub()
  readonly #near: NearSide
  readonly #authority: Authority
  readonly #tags: TagWindow
  readonly #recovery: RecoveryQueue | undefined
  readonly #link: BusLink | undefined
  readonly #reader: LayeredReader
  readonly #writer: LayeredWriter
  readonly #life = new Lifecycle(backendName)
  readonly #parts: CompositeParts

  /** Throws `INVALID_ARGUMENT` for unknown options and values that are not allowed. Subscribes to the bus in the background. */
  constructor(options: LayeredOptions) {
    const resolved = resolveOptions(options)
    const { authority, nears, nearTtl, tagWindow, clock, bus, recovery } = resolved
    const report = (error: unknown, key?: string): void => this.#report(error, 'near', key)
    this.#options = resolved
    this.#authority = new Authority(authority)
    this.#tags = new TagWindow(this.#authority, tagWindow, clock, resolved.exactClock)
    this.#near = new NearSide(nears, this.#tags, nearTtl, clock, report, bus !== undefined)
    this.near = this.#near
    if (bus !== undefined) this.#tags.suspend()
    this.#link = bus === undefined ? undefined : new BusLink(bus, clock, this.#busListener())
    if (recovery !== undefined) {
      this.#recovery = new RecoveryQueue(authority, recovery, this.#hub, clock, async (key) => {
        await this.#link?.publish({ kind: 'delete', keys: [key] })
      })
    }
    this.#reader = new LayeredReader(this.#near, this.#authority, this.#tags, this.#recovery)
    this.#writer = new LayeredWriter(this.#near, this.#authority, this.#tags, this.#recovery, this.#link)
    forwardCapabilities<LayeredBackend>(this, [authority], {
      getMany: 'own',
      setMany: 'own',
      deleteMany: 'own',
      compareAndSet: (compareAndSet) => (key, expected, next) =>
        this.#life.run('compareAndSet', key, () =>
          this.#writer.compareAndSet(key, expected, next, () => compareAndSet(key, expected, next)),
        ),
      increment: (increment) => (key, delta, expiresAt) =>
        this.#life.run('increment', key, () => this.#writer.increment(key, () => increment(key, delta, expiresAt))),
      keys: (keys) => (prefix) => this.#keys(keys, prefix),
      stats: 'own',
      listen: 'own',
      // Near copies would outlive the commit if the announcements did not come with it.
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
    return this.#life.run('get', key, () => this.#reader.get(key))
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#life.run('getMany', undefined, () => this.#reader.getMany(keys))
  }

  set(item: Item): Promise<void> {
    return this.#life.run('set', item.key, () => this.#writer.set(item))
  }

  setMany(items: readonly Item[]): Promise<void> {
    return this.#life.run('setMany', undefined, () => this.#writer.setMany(items))
  }

  /**
   * Rejects when the last layer fails. With `recovery` it resolves instead to whether the nearest layer held a value, and the
   * delete is done and announced later; rejects with `QUEUE_FULL` when too many wait.
   */
  delete(key: string): Promise<boolean> {
    return this.#life.run('delete', key, () => this.#writer.delete(key))
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#life.run('deleteMany', undefined, () => this.#writer.deleteMany(keys))
  }

  clear(prefix?: string): Promise<void> {
    return this.#life.run('clear', undefined, () => this.#writer.clear(prefix))
  }

  stats(): Promise<LayeredStats> {
    return this.#life.run('stats', undefined, () => this.#stats())
  }

  /** Passes on what the last layer tells; of the near layers errors only, since what they evict is not lost. */
  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    const { authority, nears } = this.#options
    const ends = [this.#hub.listen(listener, types), authority.listen?.(listener, types)]
    if (types === undefined || types.includes('error')) {
      const errors = (event: BackendEvent): void => {
        if (event.type === 'error') listener(event)
      }
      for (const near of nears) ends.push(near.listen?.(errors, ['error']))
    }
    return () => {
      for (const end of ends.splice(0)) end?.()
    }
  }

  /** Tries the deletes that wait in the recovery queue now, rather than when their time has come. Never rejects. */
  async recover(): Promise<void> {
    await this.#recovery?.drain()
  }

  /**
   * Waits for work in flight, stops listening to the bus, then closes the layers and the bus. A layer or a bus with another
   * open user stays open; with `closeParts: false` all of them do. Rejects with the first failure, after all have closed.
   */
  close(): Promise<void> {
    return this.#life.close(
      () => this.#close(),
      () => this.#near.close(),
    )
  }

  async #close(): Promise<void> {
    try {
      const lost = (await this.#recovery?.close()) ?? 0
      if (lost > 0) this.#report(new Error(`${lost} acknowledged deletes were not done before close`), 'close')
      await this.#link?.close()
      this.#tags.close()
    } finally {
      await this.#parts.close()
    }
  }

  async *#keys(keysOf: NonNullable<CacheBackend['keys']>, prefix: string | undefined): AsyncGenerator<string> {
    this.#life.refuseWhenClosed('keys')
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
    const far = (await backend.stats?.()) ?? {}
    layers.push({ ...far, name: backend.name, reads })
    return { ...far, layers, pendingDeletes: this.#recovery?.size ?? 0 }
  }

  #busListener() {
    return {
      message: (message: BusMessage) => this.#heard(message),
      connected: () => {
        this.#tags.resume()
        this.#near.connected()
      },
      disconnected: () => {
        this.#tags.suspend()
        this.#near.disconnected()
      },
      error: (error: unknown, operation: string) => this.#report(error, operation),
    }
  }

  /** Announcements may be late, doubled or out of order: they raise doubts, and the authority settles them (RACES R13). */
  #heard(message: BusMessage): void {
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
        this.#near.doubt(key, message.kind === 'set' ? message.versions[index] : undefined)
      }
    }
  }

  #report(error: unknown, operation: string, key?: string): void {
    if (this.#hub.wants('error')) this.#hub.emit({ type: 'error', error: asCacheError(error, operation, key) })
  }
}
