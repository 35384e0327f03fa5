import { allMethods } from './all-methods.ts'
import { batches } from './batches.ts'
import type { Chapter } from './chapter.ts'
import { clearing } from './clearing.ts'
import { compareAndSet } from './compare-and-set.ts'
import { counters } from './counters.ts'
import { damage } from './damage.ts'
import { failing } from './failing.ts'
import { handles } from './handles.ts'
import { items } from './items.ts'
import { iterating } from './iterating.ts'
import { keys } from './keys.ts'
import { lifetimes } from './lifetimes.ts'
import { statisticsAndEvents } from './statistics-and-events.ts'
import { synchronous } from './synchronous.ts'
import { transactions } from './transactions.ts'

export type { Chapter } from './chapter.ts'

/** Every rule, in the order of CONTRACT.md. */
export const chapters: readonly Chapter[] = [
  items,
  lifetimes,
  compareAndSet,
  keys,
  clearing,
  batches,
  counters,
  iterating,
  damage,
  failing,
  handles,
  statisticsAndEvents,
  synchronous,
  allMethods,
  transactions,
]
