import type { BackendStats } from '@cache/core/backend'
import type { IndexTaskResult, Inspection } from '../background/index-task.ts'
import type { CallQueue } from '../calls/call-queue.ts'
import type { Evictor } from './evictor.ts'

/** The part of an open directory that the statistics need. */
export interface StatsSource {
  readonly queue: CallQueue
  readonly evictor: Evictor
  readonly isReadOnly: boolean
  inspect(inspection: Inspection): Promise<IndexTaskResult>
}

/** More due items than this are counted in another thread. */
const maxCountedHere = 1000

/** The statistics of a directory. Values that have expired but still exist are not counted. */
export async function statsOf(source: StatsSource): Promise<BackendStats> {
  const { queue, evictor } = source
  const found = await queue.read('stats', undefined, (index, now) => {
    const isMany = !source.isReadOnly && index.hasDue(now, maxCountedHere)
    return { ...index.totals(), now, expired: isMany ? undefined : index.expiredValues(now) }
  })
  const expired = found.expired ?? (await source.inspect({ kind: 'expired', now: found.now })).count ?? 0
  // Another process may have removed some of them in between.
  const items = Math.max(0, found.live - expired)
  return { items, size: found.bytes, evictions: evictor.evictions, expired: evictor.expired }
}
