import type { BackendPart } from '@cache/core/backend'
import {
  type BulkheadPolicy,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  type IPolicy,
  isBrokenCircuitError,
  retry,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import { asCacheError, type Call, hasEnded, isOutage, isRefusal, isUnasked, timeoutError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'

/**
 * What a call does to the store, which decides when it may be tried again: a `read` after every outage; a `write` that leaves the
 * same state however often it is done only when it has surely ended, because one that timed out may still land, over what was
 * written since; `once`, whose second run would be another change, never.
 */
export type Kind = 'read' | 'write' | 'once'

export type CircuitStateName = 'closed' | 'open' | 'halfOpen'

const circuits: Readonly<Record<CircuitStateName, Pick<BackendPart, 'status' | 'message'>>> = {
  closed: { status: 'ok' },
  halfOpen: { status: 'degraded', message: 'the circuit is half open: one call probes the store' },
  open: { status: 'down', message: 'the circuit is open: calls are refused' },
}

/**
 * The policies around a store. From the outside in: tries, places in the bulkhead, circuit, time limit. The bulkhead stands outside
 * of the circuit, where a call that it refuses cannot pass for a successful probe.
 */
export class Guard {
  readonly #timeout: number
  readonly #breaker: ReturnType<typeof circuitBreaker> | undefined
  readonly #bulkhead: BulkheadPolicy | undefined
  readonly #queue: number
  readonly #policies: Record<Kind, IPolicy>
  /** The outage that opened the circuit. */
  #outage: unknown

  /** `opened` is called with the last failure each time the circuit opens. */
  constructor(options: ResolvedOptions, opened: (failure: unknown) => void) {
    this.#timeout = options.timeout
    this.#breaker = this.#makeBreaker(options.breaker)
    this.#breaker?.onBreak((reason) => {
      // A probe that never reached the store leaves the circuit as it was: there is nothing to tell.
      if (!('error' in reason) || isUnasked(reason.error)) return
      this.#outage = reason.error
      opened(reason.error)
    })
    const limit = timeout(options.timeout, { strategy: TimeoutStrategy.Cooperative, abortOnReturn: false })
    const places = options.bulkhead && bulkhead(options.bulkhead.concurrent, options.bulkhead.queue)
    this.#bulkhead = places
    this.#queue = options.bulkhead?.queue ?? 0
    const once = wrap(
      ...[places, this.#breaker, limit].filter((policy): policy is NonNullable<typeof policy> => !!policy),
    )
    this.#policies = {
      read: around(once, options.retry, isOutage),
      write: around(once, options.retry, hasEnded),
      once,
    }
  }

  get state(): CircuitStateName {
    const state = this.#breaker?.state ?? CircuitState.Closed
    return state === CircuitState.Closed ? 'closed' : state === CircuitState.HalfOpen ? 'halfOpen' : 'open'
  }

  /** The circuit and the queue of the bulkhead, where there are any. */
  describe(): BackendPart[] {
    const parts: BackendPart[] = []
    if (this.#breaker !== undefined)
      parts.push({ kind: 'circuit', name: 'circuit', essential: true, ...circuits[this.state] })
    if (this.#bulkhead !== undefined) {
      const pending = this.#queue - this.#bulkhead.queueSlots
      const isFull = this.#bulkhead.executionSlots + this.#bulkhead.queueSlots === 0
      const state: Pick<BackendPart, 'status' | 'message'> = isFull
        ? { status: 'degraded', message: 'all places are taken: further calls are refused' }
        : { status: 'ok' }
      parts.push({ kind: 'queue', name: 'bulkhead', ...state, pending, limit: this.#queue })
    }
    return parts
  }

  /** Rejects with a `CacheError`, whatever failed. */
  async run<Answer>(kind: Kind, call: Call, work: () => Promise<Answer>): Promise<Answer> {
    const answer = await this.#execute(kind, call, work)
    if (answer instanceof Refusal) throw answer.error
    return answer
  }

  async #execute<Answer>(kind: Kind, call: Call, work: () => Promise<Answer>): Promise<Answer | Refusal> {
    try {
      return await this.#policies[kind].execute(({ signal }) => this.#limited(call, () => answered(work), signal))
    } catch (error) {
      throw asCacheError(error, call, isBrokenCircuitError(error) ? this.#outage : undefined)
    }
  }

  /** The answer, or `TIMEOUT` once the signal has aborted and the answer is not waiting to be read either. */
  #limited<Answer>(call: Call, work: () => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(timeoutError(call, this.#timeout))
      // After a blocked event loop the timer comes before the sockets are read: two rounds later a healthy store has answered.
      const late = (): void => {
        setImmediate(() => setImmediate(fail))
      }
      signal.addEventListener('abort', late, { once: true })
      work()
        .finally(() => signal.removeEventListener('abort', late))
        .then(resolve, reject)
    })
  }

  #makeBreaker(options: ResolvedOptions['breaker']): ReturnType<typeof circuitBreaker> | undefined {
    if (options === undefined) return undefined
    const breaker = new ConsecutiveBreaker(options.failures)
    return circuitBreaker(
      handleWhen((error) => this.#countsAgainst(error)),
      { breaker, halfOpenAfter: options.probeAfter },
    )
  }

  /** A probe that was refused on its way to the store proved nothing: cockatiel takes what is not counted here for a success. */
  #countsAgainst(error: unknown): boolean {
    return isOutage(error) || (isUnasked(error) && this.state === 'halfOpen')
  }
}

/** A refusal on its way through the circuit, which counts as an answer there: cockatiel leaves its count as it is when a call throws. */
class Refusal {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

async function answered<Answer>(work: () => Promise<Answer>): Promise<Answer | Refusal> {
  try {
    return await work()
  } catch (error) {
    if (isRefusal(error)) return new Refusal(error)
    throw error
  }
}

function around(inner: IPolicy, options: ResolvedOptions['retry'], again: (error: unknown) => boolean): IPolicy {
  if (options === undefined) return inner
  const backoff = new ExponentialBackoff({ initialDelay: options.delay, maxDelay: options.maxDelay })
  return wrap(retry(handleWhen(again), { maxAttempts: options.retries, backoff }), inner)
}
