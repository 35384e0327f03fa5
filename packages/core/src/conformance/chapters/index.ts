import { batches } from './batches.ts'
import type { Chapter } from './chapter.ts'
import { clearing } from './clearing.ts'
import { counters } from './counters.ts'
import { items } from './items.ts'
import { iterating } from './iterating.ts'
import { keys } from './keys.ts'
import { lifetimes } from './lifetimes.ts'
import { swapping } from './swapping.ts'

export type { Chapter } from './chapter.ts'

/** Every rule, in the order of CONTRACT.md. */
export const chapters: readonly Chapter[] = [items, lifetimes, swapping, keys, clearing, batches, counters, iterating]
