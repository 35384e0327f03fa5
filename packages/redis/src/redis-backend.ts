import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  CacheError,
  cacheErrorCode,
  createVersion,
  EventHub,
  type Item,
} from '@cache/core/backend'
import { Connection } from './connection.ts'
import { redisError } from './errors.ts'
import { KeyScan } from './key-scan.ts'
import { type RedisBackendOptions, resolveBackendOptions } from './options.ts'
import { counterScript, deleteScript, incrementScript, liveScript, setScript, swapScript } from './scripts.ts'
import { StoredItems } from './stored-items.ts'
import { StoredKeys } from './stored-keys.ts'
import { TickReads, type WaitingRead } from './tick-reads.ts'
import { largestGathered, TickWrites, type WaitingWrite } from './tick-writes.ts'

/** Keys in one script that removes or looks at them. */
const keysPerScript = 512
/** Items and bytes in one script of `setMany`. */
const itemsPerScript = 256
/** `stats` counts items on servers with at most so many keys; beyond that, it would cost too much. */
const mostCounted = 10_000

/**
 * A cache backend on Redis or Redis Cluster.
 *
 * Items are frames of `@cache/codecs` under a key each, with Redis' own expiry; counters are plain numbers. The gets of one
 * tick become one MGET and the sets one script; on a Cluster each key has a command of its own, and the commands of one
 * tick leave together.
 */
export class RedisBackend implements CacheBackend {
  readonly name: string = 'redis'
  /** Absent with `encryption`: Redis cannot add to what it cannot read, and core then counts by `swap`. */
  readonly increment?: (key: string, delta: number, expiresAt?: number) => Promise<number>
  readonly listen: (listener: (event: BackendEvent) => void) => () => void
  readonly #connection: Connection
  readonly #keys: StoredKeys
  readonly #items: StoredItems
  readonly #scan: KeyScan
  readonly #events: EventHub = new EventHub()
  readonly #reads: TickReads = new TickReads((reads) => this.#sendReads(reads))
  readonly #writes: TickWrites = new TickWrites((writes) => this.#sendWrites(writes))
  readonly #flush = (): void => this.#flushTick()
  #isScheduled = false
  #closing: Promise<void> | undefined

  /** Connects with the first command. Throws `INVALID_ARGUMENT` for options that are unknown or out of range. */
  constructor(options: RedisBackendOptions) {
    const { connection, format, prefix, clock } = resolveBackendOptions(options)
    this.#items = new StoredItems(format, clock)
    this.#keys = new StoredKeys(prefix)
    this.#connection = new Connection(connection, (error) => this.#tell(redisError(error, 'connect')))
    this.#scan = new KeyScan(this.#connection, this.#keys)
    this.listen = this.#events.listen
    if (!this.#items.sealed) this.increment = (key, delta, expiresAt) => this.#increment(key, delta, expiresAt)
  }

  get(key: string): Promise<Item | undefined> {
    if (this.#closing !== undefined) return Promise.reject(this.#closed('get', key))
    this.#schedule()
    return this.#reads.add(key)
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return await this.#attempt('getMany', undefined, async () => {
      this.#writes.flush()
      const unique = [...new Set(keys)]
      const found = new Map<string, Buffer | null>()
      const replies = this.#connection.isCluster ? await this.#fetchEach(unique) : await this.#fetch(unique)
      for (const [index, key] of unique.entries()) found.set(key, replies[index] ?? null)
      return await Promise.all(keys.map((key) => this.#item(key, found.get(key) ?? null)))
    })
  }

  async set(item: Item): Promise<void> {
    if (this.#closing !== undefined) throw this.#closed('set', item.key)
    const { key } = item
    const bytes = this.#items.encode(item)
    const life = this.#items.remaining(item.expiresAt)
    if (!this.#connection.isCluster && bytes.length <= largestGathered) {
      this.#schedule()
      return await this.#writes.add(key, bytes, life)
    }
    // What was set before in this tick goes first.
    this.#writes.flush()
    await this.#attempt('set', key, () => this.#store(key, bytes, life))
  }

  async setMany(items: readonly Item[]): Promise<void> {
    await this.#attempt('setMany', undefined, async () => {
      // Everything is encoded before anything is written, so that a value that cannot be kept costs nothing else.
      const encoded = items.map((item) => [item.key, this.#items.encode(item)] as const)
      const last = new Map(encoded)
      const lives = new Map(items.map((item) => [item.key, this.#items.remaining(item.expiresAt)]))
      this.#writes.flush()
      const commands: Promise<unknown>[] = []
      let batch: (string | Buffer)[][] = []
      for (const [key, bytes] of last) {
        const life = lives.get(key)
        if (this.#connection.isCluster || bytes.length > largestGathered) commands.push(this.#store(key, bytes, life))
        else batch.push([this.#keys.stored(key), bytes, life === undefined ? '' : String(life)])
        if (batch.length < itemsPerScript) continue
        commands.push(this.#storeAll(batch))
        batch = []
      }
      if (batch.length > 0) commands.push(this.#storeAll(batch))
      await allSettledOrThrow(commands)
    })
  }

  async delete(key: string): Promise<boolean> {
    return await this.#attempt('delete', key, async () => {
      this.#writes.flush()
      return (await this.#connection.run(deleteScript, [this.#keys.stored(key)], [])) === 1
    })
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    return await this.#attempt('deleteMany', undefined, async () => {
      this.#writes.flush()
      const stored = [...new Set(keys)].map((key) => this.#keys.stored(key))
      const counts = this.#groups(stored).map((group) => this.#connection.run(deleteScript, group, []))
      return sum(await allSettledOrThrow(counts))
    })
  }

  async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    return await this.#attempt('swap', key, async () => {
      const bytes = next === undefined ? '' : this.#items.encode(next)
      const life = next === undefined ? undefined : this.#items.remaining(next.expiresAt)
      this.#writes.flush()
      const stored = this.#keys.stored(key)
      const args = [expected ?? '', bytes, life === undefined ? '' : String(life)]
      const outcome = await this.#connection.run(swapScript, [stored], [...args, ''])
      if (outcome !== 2) return outcome === 1
      // Something is there. When it cannot be read it counts as absent, which only this side can tell.
      const found = (await this.#connection.send('get', [stored])) as Buffer | null
      if (found !== null && (await this.#item(key, found)) !== undefined) return false
      return (await this.#connection.run(swapScript, [stored], [...args, found ?? ''])) === 1
    })
  }

  async clear(prefix = ''): Promise<void> {
    await this.#attempt('clear', undefined, async () => {
      this.#writes.flush()
      for await (const { stored } of this.#scan.pages(prefix)) {
        const removals = this.#groups(stored).map((group) => this.#connection.send('unlink', group))
        await allSettledOrThrow(removals)
        this.#refuseWhenClosed('clear')
      }
    })
  }

  async *keys(prefix = ''): AsyncIterable<string> {
    try {
      this.#refuseWhenClosed('keys')
      this.#writes.flush()
      for await (const page of this.#scan.pages(prefix)) {
        const groups = this.#groups(page.stored)
        const live = (
          await allSettledOrThrow(groups.map((group) => this.#connection.run(liveScript, group, [])))
        ).flat()
        for (const [index, key] of page.keys.entries()) if (live[index] === 1) yield key
        this.#refuseWhenClosed('keys')
      }
    } catch (error) {
      throw redisError(error, 'keys')
    }
  }

  /** Tells `items` on servers with at most 10,000 keys, where counting is cheap; otherwise nothing. */
  async stats(): Promise<BackendStats> {
    return await this.#attempt('stats', undefined, async () => {
      const masters = await this.#connection.currentMasters()
      const sizes = masters.map((master) =>
        master === undefined ? this.#connection.send('dbsize', []) : this.#connection.sendTo(master, 'dbsize', []),
      )
      if (sum(await allSettledOrThrow(sizes)) > mostCounted) return {}
      const found = new Set<string>()
      for await (const key of this.keys()) found.add(key)
      return { items: found.size }
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#flushTick()
    await this.#connection.close()
  }

  async #increment(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    return await this.#attempt('increment', key, async () => {
      this.#writes.flush()
      const life = this.#items.remaining(expiresAt)
      const args = [String(delta), life === undefined ? '' : String(life), createVersion()]
      const reply = String(await this.#connection.run(incrementScript, [this.#keys.stored(key)], args))
      if (reply === 'NOT_A_NUMBER') throw this.#error(reply, 'The value is not a whole number', 'increment', key)
      if (reply === 'OUT_OF_RANGE') {
        throw this.#error(reply, 'The sum is outside ±(2^53 - 1); the counter is unchanged', 'increment', key)
      }
      return Number(reply)
    })
  }

  // The tick: what is set goes out first, so that a get never misses what was set before it.

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    process.nextTick(this.#flush)
  }

  #flushTick(): void {
    this.#isScheduled = false
    this.#writes.flush()
    this.#reads.flush()
  }

  #sendReads(reads: WaitingRead[]): void {
    const [only] = reads
    if (only !== undefined && (reads.length === 1 || this.#connection.isCluster)) {
      for (const read of reads) this.#sendRead(read)
      return
    }
    const keys = reads.map((read) => this.#keys.stored(read.key))
    this.#connection.send('mget', keys).then(
      (reply) => this.#answer(reads, reply as (Buffer | null)[]),
      (error: unknown) => {
        for (const read of reads) this.#fail(read, error)
      },
    )
  }

  #sendRead(read: WaitingRead): void {
    this.#fetchOne(read.key).then(
      (bytes) => this.#answerOne(read, bytes),
      (error: unknown) => this.#fail(read, error),
    )
  }

  #answer(reads: readonly WaitingRead[], reply: readonly (Buffer | null)[]): void {
    let bytes = 0
    for (let index = 0; index < reads.length; index++) {
      const found = reply[index] ?? null
      if (found !== null) bytes += found.length
      this.#answerOne(reads[index] as WaitingRead, found)
    }
    this.#reads.learn(bytes, reads.length)
  }

  #answerOne(first: WaitingRead, bytes: Buffer | null): void {
    for (let read: WaitingRead | undefined = first; read !== undefined; read = read.next) {
      if (bytes === null) read.resolve(undefined)
      else if (this.#items.isCounter(bytes)) this.#counter(read.key).then(read.resolve, this.#failing(read))
      else read.resolve(this.#decode(read.key, bytes))
    }
  }

  #failing(read: WaitingRead): (error: unknown) => void {
    return (error) => read.reject(this.#failure(error, 'get', read.key))
  }

  #fail(first: WaitingRead, error: unknown): void {
    for (let read: WaitingRead | undefined = first; read !== undefined; read = read.next) this.#failing(read)(error)
  }

  #sendWrites(writes: readonly WaitingWrite[]): void {
    const [only] = writes
    if (only !== undefined && writes.length === 1) {
      const failed = (error: unknown): void => only.reject(this.#failure(error, 'set', only.key))
      this.#store(only.key, only.bytes, only.life).then(() => only.resolve(), failed)
      return
    }
    const batch = writes.map(({ key, bytes, life }) => [
      this.#keys.stored(key),
      bytes,
      life === undefined ? '' : String(life),
    ])
    this.#runSet(batch).then(
      (failures) => {
        for (const [index, write] of writes.entries()) {
          const failure = failures.get(index)
          if (failure === undefined) write.resolve()
          else write.reject(this.#failure(failure, 'set', write.key))
        }
      },
      (error: unknown) => {
        for (const write of writes) write.reject(this.#failure(error, 'set', write.key))
      },
    )
  }

  // Single steps.

  async #fetch(keys: readonly string[]): Promise<(Buffer | null)[]> {
    const most = this.#reads.mostKeys
    const parts: Promise<unknown>[] = []
    for (let start = 0; start < keys.length; start += most) {
      const part = keys.slice(start, start + most).map((key) => this.#keys.stored(key))
      parts.push(this.#connection.send('mget', part))
    }
    const found = (await allSettledOrThrow(parts)).flat() as (Buffer | null)[]
    this.#reads.learn(sum(found.map((bytes) => bytes?.length ?? 0)), found.length)
    return found
  }

  async #fetchEach(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return await allSettledOrThrow(keys.map((key) => this.#fetchOne(key)))
  }

  async #fetchOne(key: string): Promise<Buffer | null> {
    try {
      return (await this.#connection.send('get', [this.#keys.stored(key)])) as Buffer | null
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('WRONGTYPE')) throw error
      this.#tell(this.#error('DAMAGED', 'The key holds another type of Redis', 'get', key))
      return null
    }
  }

  /** The item of bytes that were read, with the lifetime of a counter; `undefined` where they cannot be read. */
  async #item(key: string, bytes: Buffer | null): Promise<Item | undefined> {
    if (bytes === null) return undefined
    return this.#items.isCounter(bytes) ? await this.#counter(key) : this.#decode(key, bytes)
  }

  /** Reads a counter once more, together with its lifetime: what is there now counts. */
  async #counter(key: string): Promise<Item | undefined> {
    const reply = await this.#connection.run(counterScript, [this.#keys.stored(key)], [])
    const [bytes, left] = reply as [Buffer | null, number]
    if (bytes === null) return undefined
    return this.#decode(key, bytes, left)
  }

  #decode(key: string, bytes: Buffer, left = -1): Item | undefined {
    try {
      return this.#items.isCounter(bytes) ? this.#items.decodeCounter(key, bytes, left) : this.#items.decode(key, bytes)
    } catch (error) {
      this.#tell(redisError(error, 'get', key))
      return undefined
    }
  }

  #store(key: string, bytes: Buffer, life: number | undefined): Promise<unknown> {
    const stored = this.#keys.stored(key)
    if (life === undefined) return this.#connection.send('set', [stored, bytes])
    if (life === 0) return this.#connection.send('unlink', [stored])
    return this.#connection.send('set', [stored, bytes, 'PX', life])
  }

  async #runSet(batch: readonly (readonly (string | Buffer)[])[]): Promise<Map<number, Error>> {
    const keys = batch.map((entry) => entry[0] as string | Buffer)
    const args = batch.flatMap((entry) => entry.slice(1))
    const reply = (await this.#connection.run(setScript, keys, args)) as (number | Buffer)[]
    const failures = new Map<number, Error>()
    for (let index = 0; index < reply.length; index += 2) {
      failures.set(Number(reply[index]), new Error(String(reply[index + 1])))
    }
    return failures
  }

  async #storeAll(batch: readonly (readonly (string | Buffer)[])[]): Promise<void> {
    const [failure] = (await this.#runSet(batch)).values()
    if (failure !== undefined) throw failure
  }

  /** What may go into one command: on a Cluster a key each, because keys of different slots never share one. */
  #groups<Key>(keys: readonly Key[]): Key[][] {
    const size = this.#connection.isCluster ? 1 : keysPerScript
    const groups: Key[][] = []
    for (let start = 0; start < keys.length; start += size) groups.push(keys.slice(start, start + size))
    return groups
  }

  // Failures.

  async #attempt<Result>(operation: string, key: string | undefined, work: () => Promise<Result>): Promise<Result> {
    this.#refuseWhenClosed(operation, key)
    try {
      return await work()
    } catch (error) {
      throw this.#failure(error, operation, key)
    }
  }

  #failure(error: unknown, operation: string, key: string | undefined): CacheError {
    const failure = redisError(error, operation, key)
    return this.#closing !== undefined && cacheErrorCode(failure) === 'UNAVAILABLE'
      ? this.#closed(operation, key)
      : failure
  }

  #refuseWhenClosed(operation: string, key?: string): void {
    if (this.#closing !== undefined) throw this.#closed(operation, key)
  }

  #closed(operation: string, key?: string): CacheError {
    return this.#error('CLOSED', 'The backend was closed', operation, key)
  }

  #error(code: CacheError['code'], message: string, operation: string, key?: string): CacheError {
    return new CacheError(code, message, { operation, backend: this.name, key })
  }

  #tell(error: CacheError): void {
    if (this.#events.active) this.#events.emit({ type: 'error', error })
  }
}

function sum(values: readonly unknown[]): number {
  let total = 0
  for (const value of values) total += Number(value)
  return total
}

/** All results, or the first failure once everything has settled: nothing goes on behind the caller's back. */
async function allSettledOrThrow<Value>(promises: readonly Promise<Value>[]): Promise<Value[]> {
  const outcomes = await Promise.allSettled(promises)
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}
