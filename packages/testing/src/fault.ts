import { CacheError, type CacheErrorCode } from '@cache/core'
import { checkOptions, invalidArgument, wholeNumber } from '@cache/core/backend'

/** The calls of a store that a fault can concern. */
export type StoreMethod =
  | 'get'
  | 'set'
  | 'delete'
  | 'clear'
  | 'getMany'
  | 'setMany'
  | 'deleteMany'
  | 'compareAndSet'
  | 'increment'
  | 'keys'
  | 'stats'

export const storeMethods: readonly StoreMethod[] = [
  'get',
  'set',
  'delete',
  'clear',
  'getMany',
  'setMany',
  'deleteMany',
  'compareAndSet',
  'increment',
  'keys',
  'stats',
]

/** One call that reached the store. */
export interface StoreCall {
  readonly method: StoreMethod
  /** The keys as the store gets them, with namespaces and internal records; none for `clear`, `keys` and `stats`. */
  readonly keys: readonly string[]
}

/** Which calls a fault concerns. */
export interface FaultOptions {
  /** Default: all. */
  readonly methods?: readonly StoreMethod[] | undefined
  /** The number of calls after which the fault ends by itself. Default: `Infinity`. */
  readonly times?: number | undefined
}

/** What a store does to a call before it carries it out. */
export interface Fault {
  /** Ends the fault. Calls that it holds continue. */
  end(): void
}

/** A fault that is in force. */
export class ActiveFault implements Fault {
  readonly #methods: readonly StoreMethod[]
  readonly #apply: (method: StoreMethod, key: string | undefined) => Promise<void> | undefined
  readonly #onEnd: () => void
  #left: number

  constructor(
    options: FaultOptions,
    operation: string,
    apply: (method: StoreMethod, key: string | undefined) => Promise<void> | undefined,
    onEnd: () => void,
  ) {
    checkOptions(options, ['methods', 'times'], operation)
    const { methods = storeMethods, times = Number.POSITIVE_INFINITY } = options
    if (!Array.isArray(methods) || methods.length === 0 || methods.some((one) => !storeMethods.includes(one))) {
      throw invalidArgument('methods', methods, `an array with some of ${storeMethods.join(', ')}`, operation)
    }
    this.#methods = methods
    this.#left = times === Number.POSITIVE_INFINITY ? times : wholeNumber(times, 'times', operation, 1)
    this.#apply = apply
    this.#onEnd = onEnd
  }

  /** Resolves when the call may go on, rejects when the call fails; `undefined` where the fault does not concern it. */
  meet(method: StoreMethod, key: string | undefined): Promise<void> | undefined {
    if (this.#left === 0 || !this.#methods.includes(method)) return undefined
    this.#left -= 1
    return this.#apply(method, key)
  }

  end(): void {
    this.#left = 0
    this.#onEnd()
  }
}

/** The error of a failing store. */
export function failure(given: unknown, method: StoreMethod, key: string | undefined): unknown {
  if (typeof given !== 'string') return given
  return new CacheError(given as CacheErrorCode, `${method}: the test made the store fail`, {
    operation: method,
    backend: 'test',
    key,
  })
}

const codes: readonly CacheErrorCode[] = ['UNAVAILABLE', 'TIMEOUT', 'OUT_OF_MEMORY', 'READ_ONLY', 'BACKEND_FAILURE']

/** Checks the first argument of `fail`. */
export function checkFailure(given: unknown): void {
  if (given instanceof Error || codes.includes(given as CacheErrorCode)) return
  if (Object.prototype.toString.call(given) === '[object Error]') return
  throw invalidArgument('error', given, `an Error, or one of ${codes.join(', ')}`, 'fail')
}
