import type { Item } from '../../protocol/item.ts'
import { freshUntil } from '../items/item-life.ts'
import type { LoadSettings } from '../options/cache-options.ts'
import type { CacheState } from '../state/cache-state.ts'

/** `ahead`: the share of its life that `refreshAhead` names is over. `early`: `earlyExpiry` chose this call. */
export type RenewalReason = 'ahead' | 'early'

/**
 * The reason to renew an item that is still fresh, if there is one. `earlyExpiry` is the algorithm XFetch of "Optimal Probabilistic
 * Cache Stampede Prevention" (Vattani, Chierichetti, Lowenstein, 2015).
 */
export function reasonToRenew(
  item: Item,
  settings: Pick<LoadSettings, 'refreshAhead' | 'earlyExpiry'>,
  state: CacheState,
): RenewalReason | undefined {
  const end = freshUntil(item)
  if (end === Infinity || item.createdAt === 0) return undefined
  const now = state.now()
  if (settings.refreshAhead < 1 && now - item.createdAt >= settings.refreshAhead * (end - item.createdAt))
    return 'ahead'
  if (settings.earlyExpiry === 0) return undefined
  const ahead = state.recorder.meanLoadTime * settings.earlyExpiry * -Math.log(1 - state.settings.random())
  return now + ahead >= end ? 'early' : undefined
}
