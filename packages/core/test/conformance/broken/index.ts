import { brokenBatches } from './batches.ts'
import type { Broken } from './broken.ts'
import { brokenClearing } from './clearing.ts'
import { brokenCompareAndSets } from './compare-and-set.ts'
import { brokenCounters } from './counters.ts'
import { brokenByDamage } from './damage.ts'
import { brokenByFailure } from './failing.ts'
import { brokenHandles } from './handles.ts'
import { brokenItems } from './items.ts'
import { brokenIterations } from './iterating.ts'
import { brokenKeys } from './keys.ts'
import { brokenLifetimes } from './lifetimes.ts'
import { brokenNear, brokenSync } from './synchronous.ts'
import { brokenTelling } from './telling.ts'
import { brokenTransactions } from './transactions.ts'
import { brokenWalks } from './walking.ts'

/** Every broken backend, in the order of the rules that catch them. */
export const collection: readonly Broken[] = [
  ...brokenItems,
  ...brokenLifetimes,
  ...brokenCompareAndSets,
  ...brokenKeys,
  ...brokenClearing,
  ...brokenBatches,
  ...brokenCounters,
  ...brokenIterations,
  ...brokenByDamage,
  ...brokenByFailure,
  ...brokenHandles,
  ...brokenTelling,
  ...brokenSync,
  ...brokenNear,
  ...brokenWalks,
  ...brokenTransactions,
]
