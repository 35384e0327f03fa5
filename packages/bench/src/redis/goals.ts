import type { Goal } from '../server/goals.ts'

/** Ratios of the whole cache to plain ioredis that the package promises. */
export const goals: readonly Goal[] = [
  [/^get, (integer|small object), 100 at once$/, 5],
  [/^set, (integer|small object), 100 at once$/, 1.8],
  [/^[gs]et, (integer|small object), 1 at once$/, 0.95],
]
