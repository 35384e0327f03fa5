import { createVersion } from '@cache/core/backend'
import type { ScriptCall } from '../commands/script.ts'
import { incrementScript } from '../commands/scripts.ts'
import { errorWithCode } from '../errors.ts'
import type { BackendKeys } from '../wire/backend-keys.ts'
import type { ItemEncoding } from '../wire/item-encoding.ts'
import { earlyFlushSize } from './set-batch.ts'

/** A script's own arguments come after its hash and the number of keys. */
const beforeKeys = 2
const argsPerCount = 3

/** What a batch of increments needs of a connection. */
interface ScriptConnection {
  readonly isCluster: boolean
  run(call: ScriptCall): Promise<unknown>
}

interface PendingIncrement {
  readonly key: string
  readonly delta: number
  readonly expiresAt: number | undefined
  readonly resolve: (sum: number) => void
  readonly reject: (error: unknown) => void
}

/** Gathers what is to be counted in one tick, in order, for one script; on a Cluster each count has a script of its own. */
export class IncrementBatch {
  readonly #connection: ScriptConnection
  readonly #keys: BackendKeys
  readonly #items: ItemEncoding
  #waiting: PendingIncrement[] = []

  constructor(connection: ScriptConnection, keys: BackendKeys, items: ItemEncoding) {
    this.#connection = connection
    this.#keys = keys
    this.#items = items
  }

  add(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, delta, expiresAt, resolve, reject })
      if (this.#waiting.length >= earlyFlushSize) this.#flush(true)
    })
  }

  /** How many counts wait. */
  get count(): number {
    return this.#waiting.length
  }

  flush(): void {
    if (this.#waiting.length > 0) this.#flush(false)
  }

  #flush(immediate: boolean): void {
    const counts = this.#waiting
    this.#waiting = []
    if (this.#connection.isCluster) for (const count of counts) this.#send([count], immediate)
    else this.#send(counts, immediate)
  }

  #send(counts: readonly PendingIncrement[], immediate: boolean): void {
    const keys = counts.map(({ key }) => this.#keys.toBackendKey(key))
    const args = counts.flatMap(({ delta, expiresAt }) => [String(delta), this.#life(expiresAt), createVersion()])
    const refreshArgs = (written: unknown[]): void => {
      const first = beforeKeys + keys.length
      for (const [index, { expiresAt }] of counts.entries()) {
        written[first + argsPerCount * index + 1] = this.#life(expiresAt)
      }
    }
    this.#connection.run({ script: incrementScript, keys, args, refreshArgs, immediate }).then(
      (reply) => {
        for (const [index, sum] of (reply as Buffer[]).entries()) settle(counts[index] as PendingIncrement, String(sum))
      },
      (error: unknown) => {
        for (const count of counts) count.reject(error)
      },
    )
  }

  #life(expiresAt: number | undefined): string {
    return expiresAt === undefined ? '' : String(this.#items.lifetimeUntil(expiresAt))
  }
}

function settle(count: PendingIncrement, sum: string): void {
  if (sum === 'NOT_A_NUMBER') count.reject(errorWithCode(sum, 'The value is not a whole number'))
  else if (sum === 'OUT_OF_RANGE') {
    count.reject(errorWithCode(sum, 'The sum is outside ±(2^53 - 1); the counter is unchanged'))
  } else if (/^-?\d+$/.test(sum)) count.resolve(Number(sum))
  // What Redis refused after others of the same script had been counted.
  else count.reject(new Error(sum))
}
