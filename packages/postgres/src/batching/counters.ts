import { cacheErrorCode, createVersion, type Item } from '@cache/core/backend'
import type { BackendKey } from '../table/backend-key.ts'
import { CounterLoop, type CounterTable } from '../table/counter-loop.ts'
import { type Row, totalSize } from '../table/row.ts'
import type { Table } from '../table/table.ts'
import { timeLeft } from '../timeouts/time-left.ts'
import type { WriteTimeouts } from '../timeouts/write-timeouts.ts'
import { BatchedStatements, type BatchLimits } from './batched-statements.ts'

/** The steps of one counter, which travel as their sum. */
interface Addition {
  readonly key: string
  readonly backendKey: BackendKey
  /** The expiry time of the first step: for a later step the counter would already exist. */
  readonly expiresAt: number | undefined
  readonly steps: number[]
  sum: number
  /**
   * The result of an encrypted counter that was counted, `undefined` in it for a refusal. A batch that gave up is done
   * again, and must not count twice.
   */
  counted?: { readonly total: number | undefined }
}

export interface CountersOptions {
  readonly table: CounterTable & Pick<Table, 'backendKey' | 'isEncrypted' | 'ownTimeouts'>
  readonly limits: BatchLimits
  /** Receives the numbers of rows and bytes that were written. */
  readonly onWritten: (rows: number, bytes: number) => void
}

/** The counters of a backend. The steps of one tick travel in one statement. */
export class Counters {
  readonly #options: CountersOptions
  readonly #loop: CounterLoop
  readonly #additions: BatchedStatements<Addition, number | undefined>

  constructor(options: CountersOptions) {
    this.#options = options
    const { table, limits, onWritten } = options
    this.#loop = new CounterLoop(table)
    this.#additions = new BatchedStatements(
      {
        method: 'increment',
        join: joinAdditions,
        isSingle: table.isEncrypted,
        work: async (additions, timeouts) => {
          if (table.isEncrypted) {
            await this.#addEncrypted(additions, timeouts)
            return (addition, waiter) => sumAfterStep(addition.counted?.total, addition, waiter)
          }
          const rows = additions.map((addition) => this.#rowOf(addition))
          const sums = await table.increment(rows, timeouts)
          onWritten(sums.size, totalSize(rows))
          return (addition, waiter) => sumAfterStep(sums.get(addition.backendKey.id), addition, waiter)
        },
      },
      limits,
    )
  }

  /** Resolves to the sum after this step. */
  async increment(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    const { table, limits } = this.#options
    const left = timeLeft('increment', limits.timeout)
    const backendKey = table.backendKey(key)
    const sum = await this.#additions.add(backendKey.id, { key, backendKey, expiresAt, steps: [delta], sum: delta })
    if (sum !== undefined) return sum
    const timeouts = table.ownTimeouts(left())
    if (table.isEncrypted) return await this.#loop.addEncrypted(key, delta, expiresAt, timeouts)
    return await this.#loop.retry(key, delta, expiresAt, timeouts)
  }

  /**
   * Counts one after the other: several come together only where all wait for their rows, which may take only one
   * connection.
   */
  async #addEncrypted(additions: readonly Addition[], timeouts: WriteTimeouts): Promise<void> {
    const left = timeLeft('increment', timeouts.timeout)
    for (const addition of additions) {
      addition.counted ??= { total: await this.#addOne(addition, { ...timeouts, timeout: left() }) }
    }
  }

  /** Resolves to `undefined` after a refusal, whose reason each caller finds for its own step. */
  async #addOne({ key, sum, expiresAt }: Addition, timeouts: WriteTimeouts): Promise<number | undefined> {
    try {
      const total = await this.#loop.addEncrypted(key, sum, expiresAt, timeouts)
      this.#options.onWritten(1, 0)
      return total
    } catch (error) {
      const code = cacheErrorCode(error)
      if (code === 'NOT_A_NUMBER' || code === 'OUT_OF_RANGE') return undefined
      throw error
    }
  }

  #rowOf({ key, sum, expiresAt }: Addition): Row {
    const { table } = this.#options
    const item: Item = { key, value: sum, version: createVersion(), createdAt: table.now() }
    return table.rowOf(expiresAt === undefined ? item : { ...item, expiresAt })
  }
}

function joinAdditions(waiting: Addition, incoming: Addition): boolean {
  const sum = waiting.sum + incoming.sum
  if (!Number.isSafeInteger(sum)) return false
  waiting.sum = sum
  waiting.steps.push(...incoming.steps)
  return true
}

/** The sum after the step of one waiter: the total without the later steps. */
function sumAfterStep(total: number | undefined, { steps }: Addition, waiter: number): number | undefined {
  if (total === undefined) return undefined
  let later = 0
  for (let index = waiter + 1; index < steps.length; index += 1) later += steps[index] as number
  return total - later
}
