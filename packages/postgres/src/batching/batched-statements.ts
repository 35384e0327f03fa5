import { cacheErrorCode, createVersion, type Item } from '@cache/core/backend'
import { timeoutError } from '../errors.ts'
import type { StoredKey } from '../table/backend-key.ts'
import type { Counting } from '../table/counter-loop.ts'
import type { Record } from '../table/row.ts'
import type { Patience, Table } from '../table/table.ts'
import { timeLeft } from '../timeouts/time-left.ts'
import { Coalescer } from './coalescer.ts'
import { LockedRows, runBatch, type Work } from './locked-rows.ts'
import { Gate } from './semaphore.ts'

/** Steps of one counter that travel as their sum. */
interface Addition {
  readonly key: string
  readonly stored: StoredKey
  /** Of the first step: a later one would find the counter made. */
  readonly expiresAt: number | undefined
  readonly steps: number[]
  sum: number
  /** Of a sealed counter: it has been counted, to this total or to none. A batch that gives up is done again. */
  counted?: { readonly total: number | undefined }
}

interface Replacement {
  readonly record: Record
  readonly expected: string
}

interface Removal {
  readonly stored: StoredKey
  readonly expected: string
}

interface Lane<Request, Result> extends Work<Request, Result> {
  readonly operation: string
  readonly join?: (waiting: Request, incoming: Request, replace: (request: Request) => void) => boolean
  readonly bytesOf?: (request: Request) => number
  readonly isRead?: boolean
  /** Each key takes statements of its own. */
  readonly isSingle?: boolean
}

export interface LanesOptions {
  readonly table: Table
  readonly counting: Counting
  readonly timeout: number
  /** Milliseconds that a write waits for a row which others have locked; absent where no limit may be set. */
  readonly lockTimeout: number | undefined
  /** Statements that may run at once. */
  readonly connections: number
  /** Resolves when the table is there. */
  readonly ready: () => Promise<void>
  /** Hears of rows that were written, and of how many bytes. */
  readonly onWritten: (rows: number, bytes: number) => void
}

const maxKeys = 512
const maxBytes = 1024 * 1024
const maxReadBatches = 8
const maxWriteBatches = 4

/** The operations of the table for single keys: those of one tick and one kind become one statement. */
export class Lanes {
  readonly #options: LanesOptions
  readonly #gate: Gate
  readonly #reads: Coalescer<string, Item | undefined>
  readonly #puts: Coalescer<Record, void>
  readonly #removals: Coalescer<StoredKey, boolean>
  readonly #creations: Coalescer<Record, boolean>
  readonly #replacements: Coalescer<Replacement, boolean>
  readonly #versionRemovals: Coalescer<Removal, boolean>
  readonly #additions: Coalescer<Addition, number | undefined>

  constructor(options: LanesOptions) {
    this.#options = options
    const { table, onWritten } = options
    this.#gate = new Gate(Math.max(1, Math.floor(options.connections / 2)))
    this.#reads = this.#lane({
      operation: 'get',
      isRead: true,
      join: () => true,
      work: async (keys, { timeout }) => {
        const items = await table.get(keys, timeout)
        const found = new Map(keys.map((key, index) => [key, items[index]]))
        return (key) => found.get(key)
      },
    })
    this.#puts = this.#lane({
      operation: 'set',
      bytesOf: recordBytes,
      // Nobody can tell whether the earlier one was there for a moment.
      join: (_, incoming, replace) => {
        replace(incoming)
        return true
      },
      work: async (records, patience) => {
        await table.put(records, patience)
        onWritten(records.length, bytesOf(records))
        return () => undefined
      },
    })
    this.#removals = this.#lane({
      operation: 'delete',
      join: () => true,
      work: async (keys, patience) => {
        const removed = await table.remove(keys, patience)
        // Of several deletes of one key the first has found the value.
        return ({ whole }, waiter) => waiter === 0 && removed.has(whole)
      },
    })
    this.#creations = this.#lane({
      operation: 'compareAndSet',
      bytesOf: recordBytes,
      work: async (records, patience) => {
        const written = await table.putIfAbsent(records, patience)
        onWritten(written.size, bytesOf(records))
        return ({ stored }) => written.has(stored.id)
      },
    })
    this.#replacements = this.#lane({
      operation: 'compareAndSet',
      bytesOf: ({ record }) => recordBytes(record),
      work: async (requests, patience) => {
        const records = requests.map(({ record }) => record)
        const expected = requests.map((request) => request.expected)
        const written = await table.replace(records, expected, patience)
        onWritten(written.size, bytesOf(records))
        return ({ record }) => written.has(record.stored.id)
      },
    })
    this.#versionRemovals = this.#lane({
      operation: 'compareAndSet',
      work: async (requests, patience) => {
        const keys = requests.map(({ stored }) => stored)
        const expected = requests.map((request) => request.expected)
        const removed = await table.removeVersions(keys, expected, patience)
        return ({ stored }) => removed.has(stored.id)
      },
    })
    this.#additions = this.#lane({
      operation: 'increment',
      join: joinAdditions,
      isSingle: table.isSealed,
      work: async (additions, patience) => {
        if (table.isSealed) {
          await this.#countSealed(additions, patience)
          return (addition, waiter) => stepSum(addition.counted?.total, addition, waiter)
        }
        const records = additions.map((addition) => this.#counter(addition))
        const sums = await table.increment(records, patience)
        onWritten(sums.size, bytesOf(records))
        return (addition, waiter) => stepSum(sums.get(addition.stored.id), addition, waiter)
      },
    })
  }

  get(key: string): Promise<Item | undefined> {
    return this.#reads.add(key, key)
  }

  /** The items in the order of the keys. */
  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    const items: (Item | undefined)[] = new Array(keys.length)
    return together(keys.length, items, (settled, reject) => {
      for (const [index, key] of keys.entries()) {
        const resolve = (item: Item | undefined): void => {
          items[index] = item
          settled()
        }
        this.#reads.addFor({ resolve, reject }, key, key)
      }
    })
  }

  put(record: Record): Promise<void> {
    return this.#puts.add(record.stored.id, record)
  }

  putMany(records: readonly Record[]): Promise<void> {
    return together(records.length, undefined, (resolve, reject) => {
      for (const record of records) this.#puts.addFor({ resolve, reject }, record.stored.id, record)
    })
  }

  remove(key: string): Promise<boolean> {
    const stored = this.#options.table.stored(key)
    return this.#removals.add(stored.id, stored)
  }

  putIfAbsent(record: Record): Promise<boolean> {
    return this.#creations.add(record.stored.id, record)
  }

  replace(record: Record, expected: string): Promise<boolean> {
    return this.#replacements.add(record.stored.id, { record, expected })
  }

  removeVersion(key: string, expected: string): Promise<boolean> {
    const stored = this.#options.table.stored(key)
    return this.#versionRemovals.add(stored.id, { stored, expected })
  }

  /** Resolves to the sum, or to `undefined` when the counter cannot take the step, alone or together with others. */
  increment(key: string, delta: number, expiresAt: number | undefined): Promise<number | undefined> {
    const stored = this.#options.table.stored(key)
    return this.#additions.add(stored.id, { key, stored, expiresAt, steps: [delta], sum: delta })
  }

  /** One after the other: there are several only where all wait for their rows, which takes one connection and no more. */
  async #countSealed(additions: readonly Addition[], patience: Patience): Promise<void> {
    const left = timeLeft('increment', patience.timeout)
    for (const addition of additions) {
      addition.counted ??= { total: await this.#countOne(addition, { ...patience, timeout: left() }) }
    }
  }

  /** A refusal leaves it undefined: who asked for the step looks into it. */
  async #countOne({ key, sum, expiresAt }: Addition, patience: Patience): Promise<number | undefined> {
    const { counting, onWritten } = this.#options
    try {
      const total = await counting.sealed(key, sum, expiresAt, patience)
      onWritten(1, 0)
      return total
    } catch (error) {
      const code = cacheErrorCode(error)
      if (code === 'NOT_A_NUMBER' || code === 'OUT_OF_RANGE') return undefined
      throw error
    }
  }

  #counter({ key, sum, expiresAt }: Addition): Record {
    const { table } = this.#options
    const item = { key, value: sum, version: createVersion(), createdAt: table.now() }
    return table.record(expiresAt === undefined ? item : { ...item, expiresAt })
  }

  #lane<Request, Result>(lane: Lane<Request, Result>): Coalescer<Request, Result> {
    const { timeout, lockTimeout, ready, connections } = this.#options
    const { operation, work, join, bytesOf, isRead = false, isSingle = false } = lane
    const late = (): Error => timeoutError(operation, timeout)
    const gate = this.#gate
    const locked = isRead ? undefined : new LockedRows({ work, timeout, lockTimeout, gate, late, bytesOf, isSingle })
    return new Coalescer<Request, Result>({
      run: async (jobs, left, batch) => {
        await ready()
        if (locked === undefined) await runBatch(work, jobs, { timeout: left })
        else await locked.run(jobs, left, batch)
      },
      timeout,
      late,
      join: (job, incoming) =>
        join?.(job.request, incoming, (request) => {
          job.request = request
        }) ?? false,
      maxKeys: isSingle ? 1 : maxKeys,
      maxBytes,
      ...(bytesOf ? { bytesOf } : {}),
      overlapping: isRead,
      maxBatches: isSingle ? connections : isRead ? maxReadBatches : maxWriteBatches,
    })
  }
}

/** One promise for many calls: resolves to `result` when all have resolved, rejects when one of them does. */
function together<Result>(
  calls: number,
  result: Result,
  start: (resolve: () => void, reject: (error: unknown) => void) => void,
): Promise<Result> {
  if (calls === 0) return Promise.resolve(result)
  return new Promise((resolve, reject) => {
    let left = calls
    start(() => {
      left -= 1
      if (left === 0) resolve(result)
    }, reject)
  })
}

function bytesOf(records: readonly Record[]): number {
  let bytes = 0
  for (const record of records) bytes += recordBytes(record)
  return bytes
}

function recordBytes(record: Record): number {
  return record.value.length + record.stored.whole.length
}

function joinAdditions(waiting: Addition, incoming: Addition): boolean {
  const sum = waiting.sum + incoming.sum
  if (!Number.isSafeInteger(sum)) return false
  waiting.sum = sum
  waiting.steps.push(...incoming.steps)
  return true
}

/** What one caller's increment resolves to: the sum after his own step. */
function stepSum(total: number | undefined, { steps }: Addition, waiter: number): number | undefined {
  if (total === undefined) return undefined
  let later = 0
  for (let index = waiter + 1; index < steps.length; index++) later += steps[index] as number
  return total - later
}
