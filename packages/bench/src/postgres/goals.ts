import type { Goal } from '../server/goals.ts'

/** Ratios of the whole cache to plain pg that the package promises. */
export const goals: readonly Goal[] = [
  [/^[gs]et, (integer|small object|200 B), 100 at once$/, 4],
  [/^[gs]et, (integer|small object|200 B), 1 at once$/, 0.95],
]
