import { checkOptions, invalidArgument } from '../../protocol/argument.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import { type Duration, milliseconds } from '../../protocol/duration.ts'
import { recordKey } from '../../protocol/keyspace.ts'
import { createVersion } from '../../protocol/version.ts'
import type { Context } from '../state/cache-state.ts'
import { checkSignal } from '../options/get-or-set-options.ts'
import { Lease } from './lease.ts'
import type { Operation } from '../state/steps.ts'
import { compareAndSetTries, type Scope } from '../items/namespace.ts'
import { TimeLeft } from './time-left.ts'
import { aborted } from '../loading/wait-for.ts'
import { checkFunction, checkKey } from '../options/write-options.ts'

export interface LockOptions {
  /** How long the lock outlives its owner; it is renewed while the work runs. Default `'30s'`. */
  readonly ttl?: Duration | undefined
  /** How long to wait while another holds it. 0 tries once. Default `'10s'`. */
  readonly wait?: Duration | undefined
  /** Aborting ends the wait with `ABORTED`. */
  readonly signal?: AbortSignal | undefined
}

/** What the work of a lock gets. */
export interface LockHandle {
  /**
   * Fencing token: larger than that of every holder before. Hand it to what the work writes to, and refuse smaller ones there
   * (Kleppmann, "How to do distributed locking", 2016).
   */
  readonly token: number
  /** Aborted with `LOCK_LOST` when the lock ran out or was taken, or its cache was closed. */
  readonly signal: AbortSignal
}

interface Wait {
  readonly ttl: number
  readonly wait: number
  readonly signal: AbortSignal | undefined
}

const firstPoll = 10
const longestPoll = 250
/** Tokens are remembered this long after the lock's counter was made; a counter made later starts at the clock, above all of them. */
const tokenLife = 30 * 86_400_000

/** Locks across processes: a lease in the backend by compare-and-set, with fencing tokens. */
export class Locks {
  readonly #scope: Scope
  readonly #context: Context

  constructor(scope: Scope) {
    this.#scope = scope
    this.#context = scope.context
  }

  async withLock<T>(key: string, work: (lock: LockHandle) => Promise<T> | T, options: LockOptions): Promise<T> {
    this.#scope.assertOpen('withLock')
    checkKey(key, 'withLock')
    checkFunction(work, 'work', 'withLock')
    const wait = this.#checked(options)
    this.#scope.needsCompareAndSet('withLock')
    const lease = await this.#acquire(key, wait)
    return await this.#run(key, lease, work)
  }

  #checked(options: LockOptions): Wait {
    checkOptions(options, ['ttl', 'wait', 'signal'], 'withLock')
    const { ttl = 30_000, wait = 10_000, signal } = options
    if (milliseconds(ttl, 'ttl', 'withLock') === 0) throw invalidArgument('ttl', ttl, 'more than 0', 'withLock')
    checkSignal(signal, 'withLock')
    return { ttl: milliseconds(ttl, 'ttl', 'withLock'), wait: milliseconds(wait, 'wait', 'withLock'), signal }
  }

  async #acquire(key: string, { ttl, wait, signal }: Wait): Promise<Lease> {
    const record = recordKey('!', this.#scope.path, `lock:${key}`)
    const time = new TimeLeft(wait, this.#context.now())
    for (let pause = firstPoll; ; pause = Math.min(2 * pause, longestPoll)) {
      this.#scope.assertOpen('withLock')
      if (signal?.aborted === true) throw aborted(key, signal, 'withLock')
      const lease = await Lease.acquire(this.#context, record, ttl, false).catch((error) => {
        throw this.#context.failed(error, 'withLock', key)
      })
      if (lease !== undefined) return lease
      const left = time.at(this.#context.now())
      if (left <= 0) throw this.#busy(key, wait)
      const ms = Math.min(pause, left)
      await this.#pause(ms, signal)
      time.at(this.#context.now(), ms)
    }
  }

  #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        stop()
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const stop = this.#context.settings.clock.after(ms, end, true)
      signal?.addEventListener('abort', end)
      if (signal?.aborted === true) end()
    })
  }

  async #run<T>(key: string, lease: Lease, work: (lock: LockHandle) => Promise<T> | T): Promise<T> {
    const controller = new AbortController()
    lease.onLost = () => controller.abort(this.#lost(key))
    try {
      const token = await this.#context.run(this.#token(key))
      const held = await lease.renew().catch((error) => {
        throw this.#context.failed(error, 'withLock', key)
      })
      // The token was drawn under the lease only if it is still ours: a later holder may have drawn a smaller one meanwhile.
      if (!held) throw this.#lost(key)
      return await work({ token, signal: controller.signal })
    } finally {
      await lease.release().catch((error) => this.#context.degraded(error, 'withLock', key))
    }
  }

  /** The next number of the lock's counter. A new counter starts at the clock, above the tokens of one that was forgotten. */
  *#token(key: string): Operation<number> {
    const record = recordKey('!', this.#scope.path, `token:${key}`)
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#scope.stepAside(tried)
      const item = yield* this.#context.call('withLock', key, (store) => store.get(record))
      const now = this.#context.now()
      const token = Math.max(now, ((item?.value as number | undefined) ?? 0) + 1)
      const next = { key: record, value: token, version: createVersion(), createdAt: now, expiresAt: now + tokenLife }
      if (yield* this.#scope.compareAndSet(record, item?.version, next, 'withLock')) return token
    }
    throw this.#scope.conflict('withLock', key)
  }

  #busy(key: string, wait: number): CacheError {
    const message = `withLock: '${key}' was held by another for the whole wait of ${wait} ms`
    return new CacheError('LOCK_TIMEOUT', message, { operation: 'withLock', backend: this.#context.store.name, key })
  }

  #lost(key: string): CacheError {
    const message = `withLock: the lock '${key}' ran out or was taken while its work was running`
    return new CacheError('LOCK_LOST', message, { operation: 'withLock', backend: this.#context.store.name, key })
  }
}
