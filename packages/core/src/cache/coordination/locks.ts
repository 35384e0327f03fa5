import { checkOptions, invalidArgument, optionalSignal } from '../../protocol/argument.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import { type Duration, milliseconds } from '../../protocol/duration.ts'
import { recordKey } from '../../protocol/keyspace.ts'
import { createVersion } from '../../protocol/version.ts'
import { compareAndSetTries, type Namespace } from '../items/namespace.ts'
import { aborted } from '../options/aborted.ts'
import { checkFunction, checkKey } from '../options/write-options.ts'
import type { CacheState } from '../state/cache-state.ts'
import type { Steps } from '../state/steps.ts'
import { Lease } from './lease.ts'
import { TimeLeft } from './time-left.ts'

export interface LockOptions {
  /** How long the lock outlives its owner; it is renewed while the work runs. Default `'30s'`. */
  readonly ttl?: Duration | undefined
  /** How long to wait while another holds it. 0 tries once. Default `'10s'`. */
  readonly wait?: Duration | undefined
  /** Aborting ends the wait with `ABORTED`. */
  readonly signal?: AbortSignal | undefined
}

/** The argument of the work under a lock. */
export interface LockHandle {
  /**
   * Fencing token: larger than that of every earlier holder. Pass it to the resource that the work changes, which refuses smaller ones
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
  readonly #namespace: Namespace
  readonly #state: CacheState

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#state = namespace.state
  }

  async withLock<T>(key: string, work: (lock: LockHandle) => Promise<T> | T, options: LockOptions): Promise<T> {
    this.#namespace.assertOpen('withLock')
    checkKey(key, 'withLock')
    checkFunction(work, 'work', 'withLock')
    const wait = this.#checked(options)
    this.#namespace.needsCompareAndSet('withLock')
    const lease = await this.#acquire(key, wait)
    return await this.#run(key, lease, work)
  }

  #checked(options: LockOptions): Wait {
    checkOptions(options, ['ttl', 'wait', 'signal'], 'withLock')
    const { ttl = 30_000, wait = 10_000, signal } = options
    if (milliseconds(ttl, 'ttl', 'withLock') === 0) throw invalidArgument('ttl', ttl, 'more than 0', 'withLock')
    optionalSignal(signal, 'signal', 'withLock')
    return { ttl: milliseconds(ttl, 'ttl', 'withLock'), wait: milliseconds(wait, 'wait', 'withLock'), signal }
  }

  async #acquire(key: string, { ttl, wait, signal }: Wait): Promise<Lease> {
    const record = recordKey('!', this.#namespace.path, `lock:${key}`)
    const time = new TimeLeft(wait, this.#state.now())
    for (let pause = firstPoll; ; pause = Math.min(2 * pause, longestPoll)) {
      this.#namespace.assertOpen('withLock')
      if (signal?.aborted === true) throw aborted(key, signal, 'withLock', this.#state.settings.name)
      const lease = await Lease.acquire(this.#state, record, ttl, false).catch((error) => {
        throw this.#state.failed(error, 'withLock', key)
      })
      if (lease !== undefined) return lease
      const left = time.at(this.#state.now())
      if (left <= 0) throw this.#busy(key, wait)
      const ms = Math.min(pause, left)
      await this.#pause(ms, signal)
      time.at(this.#state.now(), ms)
    }
  }

  #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        stop()
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const stop = this.#state.settings.clock.after(ms, end, true)
      signal?.addEventListener('abort', end)
      if (signal?.aborted === true) end()
    })
  }

  async #run<T>(key: string, lease: Lease, work: (lock: LockHandle) => Promise<T> | T): Promise<T> {
    const controller = new AbortController()
    lease.onLost = () => controller.abort(this.#lost(key))
    try {
      const token = await this.#state.run(this.#token(key))
      const held = await lease.renew().catch((error) => {
        throw this.#state.failed(error, 'withLock', key)
      })
      // The token was drawn under the lease only if it is still ours: a later holder may have drawn a smaller one meanwhile.
      if (!held) throw this.#lost(key)
      const result = await work({ token, signal: controller.signal })
      // A lock that was lost while the work ran protected nothing: the caller must not take the result for an exclusive one.
      if (controller.signal.aborted || !(await this.#release(key, lease))) throw this.#lost(key)
      return result
    } finally {
      await this.#release(key, lease)
    }
  }

  /** Resolves to `false` if another process holds the lock by now. A failure of the backend leaves the lease to its end. */
  async #release(key: string, lease: Lease): Promise<boolean> {
    if (!lease.held) return false
    try {
      return await lease.release()
    } catch (error) {
      this.#state.degraded(error, 'withLock', key)
      return true
    }
  }

  /** The next number of the lock's counter. A new counter starts at the clock, above the tokens of one that was forgotten. */
  *#token(key: string): Steps<number> {
    const record = recordKey('!', this.#namespace.path, `token:${key}`)
    for (let tried = 0; tried < compareAndSetTries; tried += 1) {
      yield* this.#namespace.backOff(tried)
      const item = yield* this.#state.call('withLock', key, (adapter) => adapter.get(record))
      const now = this.#state.now()
      const token = Math.max(now, ((item?.value as number | undefined) ?? 0) + 1)
      const next = { key: record, value: token, version: createVersion(), createdAt: now, expiresAt: now + tokenLife }
      if (yield* this.#namespace.compareAndSet(record, item?.version, next, 'withLock')) return token
    }
    throw this.#namespace.conflict('withLock', key)
  }

  #busy(key: string, wait: number): CacheError {
    const message = `withLock: '${key}' was held by another for the whole wait of ${wait} ms`
    return new CacheError('LOCK_TIMEOUT', message, {
      operation: 'withLock',
      backend: this.#state.adapter.name,
      cache: this.#state.settings.name,
      key,
    })
  }

  #lost(key: string): CacheError {
    const message = `withLock: the lock '${key}' ran out or was taken while its work was running`
    return new CacheError('LOCK_LOST', message, {
      operation: 'withLock',
      backend: this.#state.adapter.name,
      cache: this.#state.settings.name,
      key,
    })
  }
}
