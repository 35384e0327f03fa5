import { CacheError, type CacheErrorCode, createVersion, type Item } from '@cache/core/backend'
import type { Row } from '../connections/session.ts'
import { timeLeft } from '../timeouts/time-left.ts'
import type { Patience, Table } from './table.ts'

/** Counts where the server by itself does not: when it refused a step, and when it cannot read the values. */
export class Counting {
  readonly #table: Table

  constructor(table: Table) {
    this.#table = table
  }

  /** The server, when it refuses a step, does not say why; looks for the reason, and tries again where there is none left. */
  async alone(key: string, delta: number, expiresAt: number | undefined, patience: Patience): Promise<number> {
    const left = timeLeft('increment', patience.timeout)
    for (;;) {
      const record = this.#table.record(this.#counter(key, delta, expiresAt))
      const row = await this.#table.raw(key, left())
      // What cannot be read counts as absent.
      const isDamaged = row !== undefined && this.#table.itemOf(key, row) === undefined
      if (isDamaged && (await this.#table.replaceDamaged(record, row, { ...patience, timeout: left() }))) return delta
      if (isDamaged) continue
      const sum = (await this.#table.increment([record], { ...patience, timeout: left() })).get(record.stored.id)
      if (sum !== undefined) return sum
      if (row === undefined) continue
      if (row[4] === null || row[4] === undefined) throw refusal('NOT_A_NUMBER')
      if (!Number.isSafeInteger(Number(row[4]) + delta)) throw refusal('OUT_OF_RANGE')
    }
  }

  /** Of what is encrypted the server cannot make a sum: a loop of compare-and-set. */
  async sealed(key: string, delta: number, expiresAt: number | undefined, patience: Patience): Promise<number> {
    const left = timeLeft('increment', patience.timeout)
    for (;;) {
      const row = await this.#table.raw(key, left())
      const item = row === undefined ? undefined : this.#table.itemOf(key, row)
      const counted = item?.value
      if (counted !== undefined && !Number.isSafeInteger(counted)) throw refusal('NOT_A_NUMBER')
      const sum = counted === undefined ? delta : (counted as number) + delta
      if (!Number.isSafeInteger(sum)) throw refusal('OUT_OF_RANGE')
      const next =
        item === undefined || counted === undefined
          ? this.#counter(key, sum, expiresAt)
          : { ...item, value: sum, version: createVersion() }
      if (await this.#compareAndSet(row, item, next, { ...patience, timeout: left() })) return sum
    }
  }

  async #compareAndSet(row: Row | undefined, item: Item | undefined, next: Item, patience: Patience): Promise<boolean> {
    const record = this.#table.record(next)
    if (row === undefined) return (await this.#table.putIfAbsent([record], patience)).size > 0
    // What cannot be read counts as absent.
    if (item === undefined) return await this.#table.replaceDamaged(record, row, patience)
    return (await this.#table.replace([record], [item.version], patience)).size > 0
  }

  #counter(key: string, value: number, expiresAt: number | undefined): Item {
    const item = { key, value, version: createVersion(), createdAt: this.#table.now() }
    return expiresAt === undefined ? item : { ...item, expiresAt }
  }
}

const reasons: Readonly<Partial<Record<CacheErrorCode, string>>> = {
  NOT_A_NUMBER: 'The value is not a whole number',
  OUT_OF_RANGE: 'The sum would not be an exact whole number (2^53 - 1 at most)',
}

function refusal(code: 'NOT_A_NUMBER' | 'OUT_OF_RANGE'): CacheError {
  return new CacheError(code, reasons[code] as string)
}
