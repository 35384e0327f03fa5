/** A request of one client to its cache. Values are the ids of unique values. */
export type Request =
  | { readonly do: 'get' | 'has' | 'delete' | 'take'; readonly key: string }
  | {
      readonly do: 'set' | 'add' | 'replace' | 'update'
      readonly key: string
      readonly value: string
      readonly ttl?: number
    }
  /** `expected` is the value whose version was given, or `null` for "no value". */
  | { readonly do: 'compareAndSet'; readonly key: string; readonly expected: string | null; readonly value: string }
  | { readonly do: 'getMany' | 'deleteMany'; readonly keys: readonly string[] }
  | { readonly do: 'setMany'; readonly keys: readonly string[]; readonly values: readonly string[] }
  | { readonly do: 'clear' }
  | { readonly do: 'deleteByPrefix'; readonly prefix: string }
  | { readonly do: 'deleteByTag'; readonly tag: string }
  | { readonly do: 'increment'; readonly key: string; readonly delta: number }
  | { readonly do: 'setNumber'; readonly key: string; readonly number: number }
  | { readonly do: 'getNumber'; readonly key: string }
  /** `value` is the result of the loader, if it runs. */
  | { readonly do: 'getOrSet'; readonly key: string; readonly value: string }
  | { readonly do: 'withLock'; readonly key: string }
  | { readonly do: 'rateLimit'; readonly key: string }

/** An event within a call: the loader began, `update` saw a value, the lock was held, or its work ended. */
export interface Note {
  readonly at: number
  readonly what: 'loading' | 'seen' | 'holding' | 'leaving'
  readonly value: string | number | null
}

/**
 * One recorded call. Instants are nanoseconds of the machine's monotonic clock since the start of the run; all
 * processes share that clock.
 */
export interface Call {
  readonly id: string
  readonly process: string
  /** The namespace of the key: a family of keys and a round, such as `plain 3`. */
  readonly area: string
  readonly request: Request
  readonly start: number
  /** `Infinity` where no completion was recorded, because the process was killed. */
  end: number
  outcome: 'done' | 'failed' | 'open'
  /** The result of a call that is done; `null` is "no value". */
  result: unknown
  /** The code of the error, or the whole error where it is no `CacheError`. */
  error: string | undefined
  readonly notes: Note[]
}

/** A time in which a process did not run: its event loop was blocked, or the process was stopped. */
export interface Stall {
  readonly process: string
  readonly end: number
  readonly length: number
}

/** Everything that a run recorded. */
export interface History {
  readonly calls: readonly Call[]
  readonly stalls: readonly Stall[]
}

/** Nanoseconds in a millisecond. */
export const millisecond = 1_000_000
