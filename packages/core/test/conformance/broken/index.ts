import { brokenBatches } from './batches.ts'
import type { Broken } from './broken.ts'
import { brokenClearing } from './clearing.ts'
import { brokenCounters, brokenIterations } from './counters.ts'
import { brokenByDamage, brokenByFailure } from './failing.ts'
import { brokenHandles, brokenTelling } from './handles.ts'
import { brokenItems } from './items.ts'
import { brokenKeys } from './keys.ts'
import { brokenLifetimes, brokenSwaps } from './lifetimes.ts'
import { brokenPeeks, brokenSync, brokenWalks } from './walking.ts'

/** Every broken backend, in the order of the rules that catch them. */
export const collection: readonly Broken[] = [
  ...brokenItems,
  ...brokenLifetimes,
  ...brokenSwaps,
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
  ...brokenPeeks,
  ...brokenWalks,
]
