import type { BackendPart, CacheBackend, PartStatus } from '../../protocol/backend.ts'
import type { HealthPart, HealthReason } from './health.ts'

/** What a store did in place of an answer. */
export interface Failure {
  readonly status: 'degraded' | 'down'
  readonly message: string
}

export type Failures = ReadonlyMap<CacheBackend, Failure>

/** A part with its own state and those of its parts combined, and the reasons why it is not `ok`. */
export interface Combined {
  readonly part: HealthPart
  readonly reasons: readonly HealthReason[]
}

export function combinePart(described: BackendPart, failures: Failures, owner = ''): Combined {
  const { kind, name, pending, limit } = described
  const path = owner === '' ? name : `${owner} / ${name}`
  const inner = (described.parts ?? []).map((part) => combinePart(part, failures, path))
  const reasons = inner.flatMap((one) => one.reasons)
  const failure = described.backend === undefined ? undefined : failures.get(described.backend)
  const own = ownState(described, failure)
  // A call through a decorator fails for the reasons of its parts, which are listed already.
  const isExplained = described.status === 'ok' && reasons.length > 0
  if (own.status !== 'ok' && !isExplained)
    reasons.unshift({ kind, part: path, status: own.status, message: own.message })
  const status = worst(own.status, statusOfParts(described, inner))
  const part: HealthPart = {
    kind,
    name,
    status,
    ...(own.status !== 'ok' && { message: own.message }),
    ...(pending !== undefined && { pending }),
    ...(limit !== undefined && { limit }),
    ...(inner.length > 0 && { parts: inner.map((one) => one.part) }),
  }
  return { part, reasons }
}

function ownState(described: BackendPart, failure: Failure | undefined): Failure | { readonly status: 'ok' } {
  const { status, message = 'the part gives no reason' } = described
  if (failure === undefined || worst(status, failure.status) === status)
    return status === 'ok' ? { status } : { status, message }
  return failure
}

/** `down` with an essential part, or with all stores inside; `degraded` with any other part. */
function statusOfParts({ parts = [] }: BackendPart, inner: readonly Combined[]): PartStatus {
  const stores = inner.filter(({ part }) => part.kind === 'store')
  const isDown = ({ part }: Combined): boolean => part.status === 'down'
  if (inner.some((one, index) => isDown(one) && parts[index]?.essential === true)) return 'down'
  if (stores.length > 0 && stores.every(isDown)) return 'down'
  return inner.some(({ part }) => part.status !== 'ok') ? 'degraded' : 'ok'
}

/** The worse of two states. */
export function worst(one: PartStatus, other: PartStatus): PartStatus {
  if (one === 'down' || other === 'down') return 'down'
  return one === 'ok' ? other : 'degraded'
}
