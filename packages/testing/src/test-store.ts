import { msgpackCodec } from '@cache/codecs'
import type { CacheErrorCode, Codec } from '@cache/core'
import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  type Clock,
  checkOptions,
  type Duration,
  type Item,
  milliseconds,
  systemClock,
} from '@cache/core/backend'
import { MemoryBackend } from '@cache/memory'
import {
  ActiveFault,
  checkFailure,
  type Fault,
  type FaultOptions,
  failure,
  type StoreCall,
  type StoreMethod,
} from './fault.ts'

export interface TestStoreOptions {
  /**
   * The codec of the store in production. Values that it cannot keep are refused with `NOT_STORABLE`, as in production, and every
   * read returns a new copy. Default: `msgpackCodec`, the default of all stores outside the process.
   */
  readonly codec?: Codec | undefined
  /** The largest number of items. Default: 10,000. */
  readonly maxEntries?: number | undefined
  /** Default: the machine's. */
  readonly clock?: Clock | undefined
}

/** A store in memory that fails, delays or holds calls on command, records them, and can be switched off. */
export class TestStore implements CacheBackend {
  readonly name: string = 'test'
  readonly #inner: MemoryBackend
  readonly #clock: Required<Clock>
  readonly #faults: Set<ActiveFault> = new Set()
  #calls: StoreCall[] = []
  #isOn = true

  /** Throws `INVALID_ARGUMENT`. */
  constructor(options: TestStoreOptions = {}) {
    checkOptions(options, ['codec', 'maxEntries', 'clock'], 'TestStore')
    const { codec = msgpackCodec, maxEntries = 10_000, clock } = options
    this.#inner = new MemoryBackend({ maxEntries, clock, isolation: 'codec', codec, name: 'test' })
    this.#clock = {
      now: clock?.now.bind(clock) ?? systemClock.now,
      after: clock?.after?.bind(clock) ?? systemClock.after,
    }
  }

  /** The calls since the start or the last `forgetCalls`, the oldest first. */
  get calls(): readonly StoreCall[] {
    return [...this.#calls]
  }

  /** Forgets the recorded calls. */
  forgetCalls(): void {
    this.#calls = []
  }

  /** Makes calls reject. `error` is an `Error` or the code of a `CacheError`; default `'UNAVAILABLE'`. Nothing is stored then. */
  fail(error: Error | CacheErrorCode = 'UNAVAILABLE', options: FaultOptions = {}): Fault {
    checkFailure(error)
    return this.#add(options, 'fail', (method, key) => Promise.reject(failure(error, method, key)))
  }

  /** Makes calls wait, on the clock of the store, before they are carried out. */
  delay(duration: Duration, options: FaultOptions = {}): Fault {
    const ms = milliseconds(duration, 'duration', 'delay')
    return this.#add(options, 'delay', () => new Promise((resolve) => this.#clock.after(ms, resolve, true)))
  }

  /** Makes calls wait until the fault ends, as in a store that does not answer. */
  hold(options: FaultOptions = {}): Fault {
    const waiting: (() => void)[] = []
    const release = (): void => {
      for (const resume of waiting.splice(0)) resume()
    }
    return this.#add(options, 'hold', () => new Promise((resolve) => waiting.push(resolve)), release)
  }

  /** Switches caching off: reads find nothing, and writes succeed without effect. The stored items stay. */
  switchOff(): void {
    this.#isOn = false
  }

  switchOn(): void {
    this.#isOn = true
  }

  /** Ends all faults and switches caching on. */
  restore(): void {
    for (const fault of [...this.#faults]) fault.end()
    this.switchOn()
  }

  async get(key: string): Promise<Item | undefined> {
    await this.#meet('get', [key])
    return this.#isOn ? await this.#inner.get(key) : undefined
  }

  async set(item: Item): Promise<void> {
    await this.#meet('set', [item.key])
    if (this.#isOn) await this.#inner.set(item)
  }

  async delete(key: string): Promise<boolean> {
    await this.#meet('delete', [key])
    return this.#isOn && (await this.#inner.delete(key))
  }

  async clear(prefix?: string): Promise<void> {
    await this.#meet('clear', [])
    if (this.#isOn) await this.#inner.clear(prefix)
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    await this.#meet('getMany', keys)
    return this.#isOn ? await this.#inner.getMany(keys) : keys.map(() => undefined)
  }

  async setMany(items: readonly Item[]): Promise<void> {
    await this.#meet(
      'setMany',
      items.map(({ key }) => key),
    )
    if (this.#isOn) await this.#inner.setMany(items)
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    await this.#meet('deleteMany', keys)
    return this.#isOn ? await this.#inner.deleteMany(keys) : 0
  }

  /** Switched off, it is that of an empty store which forgets at once. */
  async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    await this.#meet('compareAndSet', [key])
    return this.#isOn ? await this.#inner.compareAndSet(key, expected, next) : expected === undefined
  }

  async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    await this.#meet('increment', [key])
    return this.#isOn ? await this.#inner.increment(key, delta, expiresAt) : delta
  }

  async *keys(prefix?: string): AsyncGenerator<string, void, undefined> {
    await this.#meet('keys', [])
    if (this.#isOn) yield* this.#inner.keys(prefix)
  }

  async stats(): Promise<BackendStats> {
    await this.#meet('stats', [])
    return this.#isOn ? await this.#inner.stats() : { items: 0 }
  }

  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    return this.#inner.listen(listener, types)
  }

  /** Ends all faults. */
  async close(): Promise<void> {
    this.restore()
    await this.#inner.close()
  }

  #add(
    options: FaultOptions,
    operation: string,
    apply: (method: StoreMethod, key: string | undefined) => Promise<void>,
    release: () => void = () => {},
  ): Fault {
    const fault = new ActiveFault(options, operation, apply, () => {
      this.#faults.delete(fault)
      release()
    })
    this.#faults.add(fault)
    return fault
  }

  async #meet(method: StoreMethod, keys: readonly string[]): Promise<void> {
    this.#calls.push({ method, keys: [...keys] })
    const [key] = keys
    for (const fault of this.#faults) await fault.meet(method, keys.length === 1 ? key : undefined)
  }
}
