import type { BackendStats } from '@cache/core/backend'
import type { Store } from '../directory/directory-handle.ts'

/** More items that are due are counted in another thread. */
const most = 1000

/** What the store counts. Values that have expired and were not removed yet are left out. */
export async function statsOf(store: Store): Promise<BackendStats> {
  const { queue, culler, refusal } = store
  const found = await queue.read('stats', undefined, (index, now) => {
    const isMany = refusal === undefined && index.hasDue(now, most)
    return { ...index.total(), now, expired: isMany ? undefined : index.expiredValues(now) }
  })
  const expired = found.expired ?? (await store.inspect({ kind: 'expired', now: found.now })).count ?? 0
  // Others may have removed some in between.
  const items = Math.max(0, found.live - expired)
  return { items, size: found.bytes, evictions: culler.evictions, expired: culler.expired }
}
