import {
  BrokenCircuitError,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  type IPolicy,
  retry,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import { asCacheError, type Call, hasEnded, isOutage, isRefusal, timeoutError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'

/**
 * What a call does to the store, which decides when it may be tried again: a `read` after every outage; a `write` that leaves the
 * same state however often it is done only when it has surely ended, because one that timed out may still land, over what was
 * written since; `once`, whose second run would be another change, never.
 */
export type Kind = 'read' | 'write' | 'once'

export type CircuitStateName = 'closed' | 'open' | 'halfOpen'

/**
 * The policies around a store. From the outside in: tries, places in the bulkhead, circuit, time limit. The bulkhead stands outside
 * of the circuit, where a call that it refuses cannot pass for a successful probe.
 */
export class Guard {
  readonly #timeout: number
  readonly #breaker: ReturnType<typeof circuitBreaker> | undefined
  readonly #policies: Record<Kind, IPolicy>

  /** `opened` is called with the last failure each time the circuit opens. */
  constructor(options: ResolvedOptions, opened: (failure: unknown) => void) {
    this.#timeout = options.timeout
    this.#breaker = makeBreaker(options.breaker)
    this.#breaker?.onBreak((reason) => opened('error' in reason ? reason.error : undefined))
    const limit = timeout(options.timeout, { strategy: TimeoutStrategy.Cooperative, abortOnReturn: false })
    const places = options.bulkhead && bulkhead(options.bulkhead.concurrent, options.bulkhead.queue)
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
      throw asCacheError(error, call, this.#lastFailure(error))
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

  #lastFailure(error: unknown): unknown {
    if (!(error instanceof BrokenCircuitError)) return undefined
    const failure = this.#breaker?.lastFailure
    return failure !== undefined && 'error' in failure ? failure.error : undefined
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

function makeBreaker(options: ResolvedOptions['breaker']): ReturnType<typeof circuitBreaker> | undefined {
  if (options === undefined) return undefined
  const breaker = new ConsecutiveBreaker(options.failures)
  return circuitBreaker(handleWhen(isOutage), { breaker, halfOpenAfter: options.probeAfter })
}

function around(inner: IPolicy, options: ResolvedOptions['retry'], again: (error: unknown) => boolean): IPolicy {
  if (options === undefined) return inner
  const backoff = new ExponentialBackoff({ initialDelay: options.delay, maxDelay: options.maxDelay })
  return wrap(retry(handleWhen(again), { maxAttempts: options.retries, backoff }), inner)
}
