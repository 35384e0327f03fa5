import { KeyMutex } from '../../backend-kit/key-mutex.ts'
import type { CacheBackend, SyncCacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'
import { newGeneration } from '../../protocol/tag-versions.ts'
import type { RateLimitAlgorithm, RateLimitResult } from '../options/rate-limit-options.ts'
import { Flights } from './flights.ts'

/** A limit of calls in a window of milliseconds. */
export interface Limit {
  readonly limit: number
  readonly window: number
  readonly algorithm: RateLimitAlgorithm
}

/** A call of a rate limit that waits for its result. */
export interface WaitingCall extends Limit {
  readonly resolve: (result: RateLimitResult) => void
  readonly reject: (error: unknown) => void
}

/** What all caches over one backend object have in common, so that two caches on it do not race. */
export class BackendState {
  readonly flights: Flights
  readonly mutex: KeyMutex = new KeyMutex()
  /** Calls of rate limits by record, while one of them is on its way. */
  readonly limited: Map<string, WaitingCall[]> = new Map()
  /** Changes with every change of a tag record by this process. If it is the only writer, tags valid at this generation still are. */
  tagGeneration = 0
  /** The stored tag records that the process remembers, if it is the only writer. */
  readonly knownTags: Map<string, Item> = new Map()

  /** `origin` is the state outside a transaction: its callers do not join loads inside, and changes inside invalidate its loads. */
  constructor(origin?: BackendState) {
    this.flights = new Flights(origin?.flights)
    this.moveTags()
  }

  moveTags(): void {
    this.tagGeneration = newGeneration()
  }
}

const states = new WeakMap<object, BackendState>()

/** The share of a backend; a backend and its `sync` member have one together. */
export function backendStateOf(backend: CacheBackend | SyncCacheBackend): BackendState {
  const identity = 'sync' in backend && backend.sync !== undefined ? backend.sync : backend
  let share = states.get(identity)
  if (share === undefined) {
    share = new BackendState()
    states.set(identity, share)
  }
  return share
}
