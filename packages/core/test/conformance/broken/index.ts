import { brokenSequences } from './all-methods.ts'
import { brokenBatches } from './batches.ts'
import type { Broken } from './broken.ts'
import { brokenClearing } from './clearing.ts'
import { brokenCompareAndSets } from './compare-and-set.ts'
import { brokenCounters } from './counters.ts'
import { brokenByColumns } from './cut-and-rounded.ts'
import { brokenByDamage } from './damage.ts'
import { brokenByFailure } from './failing.ts'
import { brokenHandles } from './handles.ts'
import { brokenItems } from './items.ts'
import { brokenIterations } from './iterating.ts'
import { brokenIterationsAndOutages } from './iterations-and-outages.ts'
import { brokenKeys } from './keys.ts'
import { brokenLifetimes } from './lifetimes.ts'
import { brokenLimitsAndViews } from './limits-and-views.ts'
import { brokenStatistics } from './statistics-and-events.ts'
import { brokenNear, brokenSync } from './synchronous.ts'
import { brokenTransactions } from './transactions.ts'
import { brokenValuesAndDeadlines } from './values-and-deadlines.ts'

/** Every broken backend: first by chapter, then those of the rules for every call. */
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
  ...brokenValuesAndDeadlines,
  ...brokenIterationsAndOutages,
  ...brokenLimitsAndViews,
  ...brokenByColumns,
]
