import { createVersion } from '@cache/core/backend'
import type { ScriptConnection } from '../commands/command-connection.ts'
import { incrementScript } from '../commands/increment-script.ts'
import { argsBeforeKeys } from '../commands/script-command.ts'
import type { Lifetimes } from '../commands/set-command.ts'
import { errorWithCode } from '../errors.ts'
import type { BackendKeys } from '../wire/backend-keys.ts'

/** This many increments of one tick leave before the tick ends (docs/decisions/0021). */
const earlyFlushSize = 40
const argsPerIncrement = 3

/** An increment with its caller. */
interface PendingIncrement {
  readonly key: string
  readonly delta: number
  readonly expiresAt: number | undefined
  readonly resolve: (sum: number) => void
  readonly reject: (error: unknown) => void
}

/** Collects the increments of one tick, in order, for one script. On a Cluster each increment has its own script. */
export class IncrementBatch {
  readonly #connection: ScriptConnection
  readonly #keys: BackendKeys
  readonly #lifetimes: Lifetimes
  #waiting: PendingIncrement[] = []

  constructor(connection: ScriptConnection, keys: BackendKeys, lifetimes: Lifetimes) {
    this.#connection = connection
    this.#keys = keys
    this.#lifetimes = lifetimes
  }

  add(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, delta, expiresAt, resolve, reject })
      if (this.#waiting.length >= earlyFlushSize) this.#flush(true)
    })
  }

  /** How many increments wait. */
  get size(): number {
    return this.#waiting.length
  }

  /** Sends the waiting increments. */
  flush(): void {
    if (this.#waiting.length > 0) this.#flush(false)
  }

  #flush(immediate: boolean): void {
    const increments = this.#waiting
    this.#waiting = []
    if (this.#connection.isCluster) for (const increment of increments) this.#send([increment], immediate)
    else this.#send(increments, immediate)
  }

  #send(increments: readonly PendingIncrement[], immediate: boolean): void {
    const keys = increments.map(({ key }) => this.#keys.toBackendKey(key))
    const args = increments.flatMap(({ delta, expiresAt }) => [
      String(delta),
      this.#lifetimeArgument(expiresAt),
      createVersion(),
    ])
    const refreshArgs = (written: unknown[]): void => {
      const first = argsBeforeKeys + keys.length
      for (const [index, { expiresAt }] of increments.entries()) {
        written[first + argsPerIncrement * index + 1] = this.#lifetimeArgument(expiresAt)
      }
    }
    this.#connection.run({ script: incrementScript, keys, args, refreshArgs, immediate }).then(
      (reply) => {
        for (const [index, sum] of (reply as Buffer[]).entries()) {
          deliver(increments[index] as PendingIncrement, String(sum))
        }
      },
      (error: unknown) => {
        for (const increment of increments) increment.reject(error)
      },
    )
  }

  #lifetimeArgument(expiresAt: number | undefined): string {
    return expiresAt === undefined ? '' : String(this.#lifetimes.lifetimeUntil(expiresAt))
  }
}

function deliver(increment: PendingIncrement, sum: string): void {
  if (sum === 'NOT_A_NUMBER') increment.reject(errorWithCode(sum, 'The value is not a whole number'))
  else if (sum === 'OUT_OF_RANGE') {
    increment.reject(errorWithCode(sum, 'The sum is outside ±(2^53 - 1); the counter is unchanged'))
  } else if (/^-?\d+$/.test(sum) && Number.isSafeInteger(Number(sum))) increment.resolve(Number(sum))
  // The message with which Redis refused this increment after others of the same script had succeeded.
  else increment.reject(new Error(sum))
}
