/**
 * The families of keys. A family decides which calls meet on a key, and which promise the checker tests:
 *
 * - `plain`, `tagged`, `short`: registers; those of `tagged` always have their tags, those of `short` a short lifetime
 * - `count`: counters
 * - `load`: keys with loads
 * - `lock`, `limit`: locks and rate limits
 */
export const families = ['plain', 'tagged', 'short', 'count', 'load', 'lock', 'limit'] as const
export type Family = (typeof families)[number]

/** Keys of each family. Those of `sum` are only incremented; those of `mixed` are also set and deleted. */
export const keysOf: Readonly<Record<Family, readonly string[]>> = {
  plain: ['a0', 'a1', 'b0', 'b1'],
  tagged: ['a0', 'a1', 'b0'],
  short: ['a0', 'a1'],
  count: ['sum0', 'sum1', 'mixed0', 'mixed1'],
  load: ['a0', 'a1', 'late', 'none'],
  lock: ['lock0', 'lock1'],
  limit: ['log', 'counter'],
}

export const tagNames: readonly string[] = ['red', 'blue']

/** The tags that every value of a key has. */
export function tagsOf(area: string, key: string): readonly string[] {
  const family = familyOf(area)
  if (family === 'tagged') return key === 'a0' ? ['red'] : key === 'a1' ? ['red', 'blue'] : ['blue']
  if (family !== 'load') return []
  return key === 'none' ? [] : key === 'a1' ? ['red', 'blue'] : ['red']
}

/** The limits of the keys of `limit`. */
export const limits = {
  log: { limit: 6, window: 800, algorithm: 'sliding-log' },
  counter: { limit: 12, window: 800, algorithm: 'sliding-counter' },
} as const

/** The lifetime of a lock that its holder does not renew, in milliseconds. */
export const lockTtl = 400

export function areaOf(family: Family, round: number): string {
  return `${family} ${round}`
}

export function familyOf(area: string): Family {
  return area.split(' ')[0] as Family
}
