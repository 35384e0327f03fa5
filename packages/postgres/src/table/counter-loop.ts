import { CacheError, createVersion, type Item } from '@cache/core/backend'
import type { ResultRow } from '../connections/session.ts'
import { nextTurn } from '../timeouts/next-turn.ts'
import { timeLeft } from '../timeouts/time-left.ts'
import type { WriteTimeouts } from '../timeouts/write-timeouts.ts'
import type { Table } from './table.ts'

/** The parts of a table that a counter loop needs. */
export type CounterTable = Pick<
  Table,
  'now' | 'rowOf' | 'itemOf' | 'find' | 'increment' | 'putIfAbsent' | 'replace' | 'replaceDamaged'
>

/** Counts a single key in a loop of statements, where one statement does not suffice. */
export class CounterLoop {
  readonly #table: CounterTable

  constructor(table: CounterTable) {
    this.#table = table
  }

  /** For a step that the server refused without a reason: finds the reason, and tries again where none is left. */
  async retry(key: string, delta: number, expiresAt: number | undefined, timeouts: WriteTimeouts): Promise<number> {
    const left = timeLeft('increment', timeouts.timeout)
    for (let round = 0; ; round += 1) {
      if (round > 0) await nextTurn()
      const row = this.#table.rowOf(this.#counter(key, delta, expiresAt))
      const found = await this.#table.find(key, left())
      // An unreadable item counts as absent.
      const isDamaged = found !== undefined && this.#table.itemOf(key, found) === undefined
      if (isDamaged && (await this.#table.replaceDamaged(row, found, { ...timeouts, timeout: left() }))) return delta
      if (isDamaged) continue
      const sum = (await this.#table.increment([row], { ...timeouts, timeout: left() })).get(row.backendKey.id)
      if (sum !== undefined) return sum
      if (found === undefined) continue
      if (found[4] === null || found[4] === undefined) throw refusal('NOT_A_NUMBER')
      if (!Number.isSafeInteger(Number(found[4]) + delta)) throw refusal('OUT_OF_RANGE')
    }
  }

  /** For encrypted counters, which the server cannot add: a loop of compare-and-set. */
  async addEncrypted(
    key: string,
    delta: number,
    expiresAt: number | undefined,
    timeouts: WriteTimeouts,
  ): Promise<number> {
    const left = timeLeft('increment', timeouts.timeout)
    for (let round = 0; ; round += 1) {
      if (round > 0) await nextTurn()
      const found = await this.#table.find(key, left())
      const item = found === undefined ? undefined : this.#table.itemOf(key, found)
      const counted = item?.value
      if (counted !== undefined && !Number.isSafeInteger(counted)) throw refusal('NOT_A_NUMBER')
      const sum = counted === undefined ? delta : (counted as number) + delta
      if (!Number.isSafeInteger(sum)) throw refusal('OUT_OF_RANGE')
      const next =
        item === undefined || counted === undefined
          ? this.#counter(key, sum, expiresAt)
          : { ...item, value: sum, version: createVersion() }
      if (await this.#compareAndSet(found, item, next, { ...timeouts, timeout: left() })) return sum
    }
  }

  async #compareAndSet(
    found: ResultRow | undefined,
    item: Item | undefined,
    next: Item,
    timeouts: WriteTimeouts,
  ): Promise<boolean> {
    const row = this.#table.rowOf(next)
    if (found === undefined) return (await this.#table.putIfAbsent([row], timeouts)).size > 0
    // An unreadable item counts as absent.
    if (item === undefined) return await this.#table.replaceDamaged(row, found, timeouts)
    return (await this.#table.replace([row], [item.version], timeouts)).size > 0
  }

  #counter(key: string, value: number, expiresAt: number | undefined): Item {
    const item = { key, value, version: createVersion(), createdAt: this.#table.now() }
    return expiresAt === undefined ? item : { ...item, expiresAt }
  }
}

const messages = {
  NOT_A_NUMBER: 'The value is not a whole number',
  OUT_OF_RANGE: 'The sum would not be an exact whole number (2^53 - 1 at most)',
} as const

function refusal(code: keyof typeof messages): CacheError {
  return new CacheError(code, messages[code])
}
