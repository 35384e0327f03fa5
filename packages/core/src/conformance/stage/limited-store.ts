import type { CacheBackend } from '../../protocol/backend.ts'
import type { Stage } from './stage.ts'

/** The limit of entries of the stores of these rules. */
export const limit = 100

export async function openLimited(stage: Pick<Stage, 'opened' | 'harness' | 'skip'>): Promise<CacheBackend> {
  if (!stage.harness.openLimited) return stage.skip("the harness has no 'openLimited'", 'openLimited')
  return stage.opened(stage.harness.openLimited?.(limit) as CacheBackend)
}

/** Stores ten times the allowed number of items, and resolves to their keys. */
export async function fill(stage: Pick<Stage, 'item'>, backend: CacheBackend): Promise<string[]> {
  const items = Array.from({ length: limit * 10 }, (_, n) => stage.item(`full ${n}`, n))
  for (const item of items) await backend.set(item)
  return items.map((item) => item.key)
}
