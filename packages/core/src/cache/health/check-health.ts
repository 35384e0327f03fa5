import { describeBackend } from '../../backend-kit/describe-backend.ts'
import { checkOptions, invalidArgument } from '../../protocol/argument.ts'
import type { BackendPart, CacheBackend, PartStatus } from '../../protocol/backend.ts'
import { milliseconds } from '../../protocol/duration.ts'
import type { Namespace } from '../items/namespace.ts'
import { askStores } from './ask-stores.ts'
import { type Combined, combinePart, type Failure, worst } from './combine-parts.ts'
import type { Health, HealthOptions, HealthReason } from './health.ts'

/** The health of a cache, as `Cache.health` documents it. */
export async function checkHealth(namespace: Namespace, options: HealthOptions = {}): Promise<Health> {
  const timeout = timeoutOf(options)
  const state = namespace.state.origin ?? namespace.state
  const { clock, name } = state.settings
  const backend = state.backend as CacheBackend
  const failures = namespace.isClosed
    ? new Map<CacheBackend, Failure>()
    : await askStores(storesOf(describe(backend)), timeout, clock)
  // Described again, because an answer or its absence may have moved a circuit or a failover.
  const combined: Combined[] = [combinePart(describe(backend), failures)]
  const queue = namespace.writer?.describe()
  if (queue !== undefined) combined.push(combinePart(queue, failures))
  const reasons: HealthReason[] = combined.flatMap((one) => one.reasons)
  let status = combined.reduce<PartStatus>((all, { part }) => worst(all, part.status), 'ok')
  if (namespace.isClosed) {
    status = 'down'
    reasons.unshift({ kind: 'cache', part: name, status, message: 'the cache was closed' })
  }
  return { status, reasons, parts: combined.map(({ part }) => part) }
}

function timeoutOf(options: HealthOptions): number {
  const operation = 'health'
  checkOptions(options, ['timeout'], operation)
  const timeout = milliseconds(options.timeout ?? '1s', 'timeout', operation)
  if (timeout === 0 || timeout === Infinity)
    throw invalidArgument('timeout', options.timeout, 'more than 0, and not Infinity', operation)
  return timeout
}

/** A backend of another author may throw where it must not. */
function describe(backend: CacheBackend): BackendPart {
  try {
    return describeBackend(backend)
  } catch (error) {
    const message = `describe() threw: ${error instanceof Error ? error.message : String(error)}`
    return { kind: 'store', name: backend.name, status: 'degraded', message, backend }
  }
}

function storesOf(part: BackendPart): CacheBackend[] {
  const inner = (part.parts ?? []).flatMap(storesOf)
  return [...new Set(part.backend === undefined ? inner : [part.backend, ...inner])]
}
