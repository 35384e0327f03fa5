import type { LRUCache } from 'lru-cache'
import type { Candidate } from '../harness/suite.ts'
import { contender } from './contender.ts'
import { capacity, keyOf, keys, type SyncHit, type User, users } from './workload.ts'

async function open(): Promise<LRUCache<string, User>> {
  const { LRUCache } = await import('lru-cache')
  const cache = new LRUCache<string, User>({ max: capacity })
  for (const [index, key] of keys.entries()) cache.set(key, users[index] as User)
  return cache
}

/** Plain lru-cache, synchronous and without lifetimes: the baseline of all candidates. */
export function rawLru(rows: readonly string[]): Candidate {
  const contest = async (): Promise<SyncHit> => {
    const cache = await open()
    return (index) => cache.get(keyOf(index))
  }
  return contender('lru-cache', ['lru-cache'], {}, Object.fromEntries(rows.map((row) => [row, contest])))
}

/** The floor of anything that is awaited: a promise that is already resolved, around the same look-up. */
export function awaitedLru(rows: readonly string[]): Candidate {
  const contest = async () => {
    const cache = await open()
    return (index: number) => Promise.resolve(cache.get(keyOf(index)))
  }
  return contender('floor: awaited lru-cache', ['lru-cache'], Object.fromEntries(rows.map((row) => [row, contest])))
}
