import type { PartKind, PartStatus } from '../../protocol/backend.ts'
import type { Duration } from '../../protocol/duration.ts'

export interface HealthOptions {
  /**
   * How long the stores may take to answer; one that has not answered by then is `down`. Probes of an orchestrator need a longer limit
   * than this. Default `'1s'`.
   */
  readonly timeout?: Duration | undefined
}

/** The cache, its store, or a part of it. */
export interface HealthPart {
  readonly kind: PartKind
  readonly name: string
  /** With the states of `parts`. */
  readonly status: PartStatus
  /** Why the part itself is not `ok`. */
  readonly message?: string
  /** Calls or changes that wait. */
  readonly pending?: number
  /** How many may wait. */
  readonly limit?: number
  readonly parts?: readonly HealthPart[]
}

/** Why a cache is not `ok`. */
export interface HealthReason {
  /** `cache` for the cache itself. */
  readonly kind: PartKind | 'cache'
  /** The names from the outermost part to this one, such as `layered / redis`. */
  readonly part: string
  readonly status: 'degraded' | 'down'
  readonly message: string
}

export interface Health {
  /**
   * `down`: the store answers nothing, so every call loads, and writes reject. `degraded`: the cache works, but a part does not, or
   * changes wait.
   */
  readonly status: PartStatus
  /** Empty when the status is `ok`. */
  readonly reasons: readonly HealthReason[]
  /** The store, and the write-behind queue where there is one. */
  readonly parts: readonly HealthPart[]
}
