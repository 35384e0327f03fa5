import { createVersion } from '@cache/core/backend'
import type { ScriptCall } from '../commands/script.ts'
import { incrementScript } from '../commands/scripts.ts'
import { knownError } from '../errors.ts'
import type { StoredKeys } from '../wire/backend-keys.ts'
import type { StoredItems } from '../wire/item-encoding.ts'
import { sentEarly } from './set-batch.ts'

/** A script's own arguments come after its hash and the number of keys. */
const beforeKeys = 2
const argsPerCount = 3

/** What a batch of increments needs of a connection. */
interface ScriptConnection {
  readonly isCluster: boolean
  run(call: ScriptCall): Promise<unknown>
}

interface WaitingCount {
  readonly key: string
  readonly delta: number
  readonly expiresAt: number | undefined
  readonly resolve: (sum: number) => void
  readonly reject: (error: unknown) => void
}

/** Gathers what is to be counted in one tick, in order, for one script; on a Cluster each count has a script of its own. */
export class TickCounts {
  readonly #connection: ScriptConnection
  readonly #keys: StoredKeys
  readonly #items: StoredItems
  #waiting: WaitingCount[] = []

  constructor(connection: ScriptConnection, keys: StoredKeys, items: StoredItems) {
    this.#connection = connection
    this.#keys = keys
    this.#items = items
  }

  add(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, delta, expiresAt, resolve, reject })
      if (this.#waiting.length >= sentEarly) this.#flush(true)
    })
  }

  /** How many counts wait. */
  get count(): number {
    return this.#waiting.length
  }

  flush(): void {
    if (this.#waiting.length > 0) this.#flush(false)
  }

  #flush(atOnce: boolean): void {
    const counts = this.#waiting
    this.#waiting = []
    if (this.#connection.isCluster) for (const count of counts) this.#send([count], atOnce)
    else this.#send(counts, atOnce)
  }

  #send(counts: readonly WaitingCount[], atOnce: boolean): void {
    const keys = counts.map(({ key }) => this.#keys.stored(key))
    const args = counts.flatMap(({ delta, expiresAt }) => [String(delta), this.#life(expiresAt), createVersion()])
    const onWrite = (written: unknown[]): void => {
      const first = beforeKeys + keys.length
      for (const [index, { expiresAt }] of counts.entries()) {
        written[first + argsPerCount * index + 1] = this.#life(expiresAt)
      }
    }
    this.#connection.run({ script: incrementScript, keys, args, onWrite, atOnce }).then(
      (reply) => {
        for (const [index, sum] of (reply as Buffer[]).entries()) settle(counts[index] as WaitingCount, String(sum))
      },
      (error: unknown) => {
        for (const count of counts) count.reject(error)
      },
    )
  }

  #life(expiresAt: number | undefined): string {
    return expiresAt === undefined ? '' : String(this.#items.remaining(expiresAt))
  }
}

function settle(count: WaitingCount, sum: string): void {
  if (sum === 'NOT_A_NUMBER') count.reject(knownError(sum, 'The value is not a whole number'))
  else if (sum === 'OUT_OF_RANGE') {
    count.reject(knownError(sum, 'The sum is outside ±(2^53 - 1); the counter is unchanged'))
  } else if (/^-?\d+$/.test(sum)) count.resolve(Number(sum))
  // What Redis refused after others of the same script had been counted.
  else count.reject(new Error(sum))
}
