import { brokenSequences } from './all-methods.ts'
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
import { brokenStatistics } from './statistics-and-events.ts'
import { brokenNear, brokenSync } from './synchronous.ts'
import { brokenTransactions } from './transactions.ts'

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
  ...brokenStatistics,
  ...brokenSync,
  ...brokenNear,
  ...brokenSequences,
  ...brokenTransactions,
]
