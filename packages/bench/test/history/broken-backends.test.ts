import { CacheError } from '@cache/core'
import { describe, expect, it } from 'vitest'
import { checkHistory } from '../../src/history/checks/check-history.ts'
import type { Finding } from '../../src/history/checks/finding.ts'
import type { Family } from '../../src/history/record/areas.ts'
import { type Breakage, isRecord, type SharedBackend, simulate } from './simulation.ts'

const seed = Number(process.env.SEED ?? 20_261_201)
const strict = { evicts: false, staleness: 0 }

/** A function that is true at every `period`-th call. */
function every(period: number): () => boolean {
  let count = 0
  return () => {
    count += 1
    return count % period === 0
  }
}

interface Broken {
  readonly name: string
  readonly families: readonly Family[]
  readonly promise: Finding['promise']
  readonly breakage: Breakage
}

const brokenBackends: readonly Broken[] = [
  {
    name: 'loses every tenth set',
    families: ['plain'],
    promise: 'register',
    breakage: (handle) => {
      const isLost = every(10)
      return { set: async (item) => (isLost() ? undefined : await handle.set(item)) }
    },
  },
  {
    name: 'returns the item of an earlier read at every tenth get',
    families: ['plain'],
    promise: 'register',
    breakage: (handle) => {
      const isOld = every(10)
      const seen = new Map<string, Awaited<ReturnType<SharedBackend['get']>>>()
      return {
        get: async (key) => {
          const old = seen.get(key)
          if (old !== undefined && isOld()) return old
          const item = await handle.get(key)
          if (item?.value !== undefined && !seen.has(key)) seen.set(key, item)
          return item
        },
      }
    },
  },
  {
    name: 'ignores every fifth delete',
    families: ['plain'],
    promise: 'register',
    breakage: (handle) => {
      const isIgnored = every(5)
      return { delete: async (key) => (isIgnored() ? true : await handle.delete(key)) }
    },
  },
  {
    name: 'ignores clear',
    families: ['plain'],
    promise: 'register',
    breakage: () => ({ clear: async () => {} }),
  },
  {
    name: 'compares and sets in two steps',
    families: ['plain'],
    promise: 'register',
    breakage: (handle) => ({
      compareAndSet: async (key, expected, next) => {
        if ((await handle.get(key))?.version !== expected) return false
        if (next === undefined) await handle.delete(key)
        else await handle.set(next)
        return true
      },
    }),
  },
  {
    name: 'cuts off the end of long values',
    families: ['plain'],
    promise: 'register',
    breakage: (handle) => ({
      set: (item) => {
        const value = item.value as { readonly id: string; readonly padding: string } | undefined
        return handle.set(value === undefined ? item : { ...item, value: { ...value, padding: '' } })
      },
    }),
  },
  {
    name: 'forgets the invalidation of a tag',
    families: ['tagged'],
    promise: 'register',
    breakage: (handle) => ({
      set: async (item) => (isRecord(item.key, '#') ? undefined : await handle.set(item)),
    }),
  },
  {
    name: 'counts in two steps',
    families: ['count'],
    promise: 'counter',
    breakage: (handle) => ({
      increment: async (key, delta) => {
        const item = await handle.get(key)
        const sum = Number(item?.value ?? 0) + delta
        await handle.set({ key, value: sum, version: `${sum}`, createdAt: 0 })
        return sum
      },
    }),
  },
  {
    name: 'counts every tenth increment twice',
    families: ['count'],
    promise: 'counter',
    breakage: (handle) => {
      const isDoubled = every(10)
      return {
        increment: async (key, delta) => {
          const sum = await handle.increment(key, delta)
          if (isDoubled()) await handle.increment(key, delta)
          return sum
        },
      }
    },
  },
  {
    name: 'stores the result of a load without its placeholder',
    families: ['load'],
    promise: 'load',
    breakage: (handle) => ({
      compareAndSet: async (key, expected, next) => {
        if (next?.value === undefined || key.startsWith('@#')) return await handle.compareAndSet(key, expected, next)
        await handle.set(next)
        return true
      },
    }),
  },
  {
    name: 'grants a lock that another one holds',
    families: ['lock'],
    promise: 'lock',
    breakage: (handle) => ({
      compareAndSet: async (key, expected, next) => {
        const held = await handle.compareAndSet(key, expected, next)
        return isRecord(key, '!') && key.includes('lock:') ? true : held
      },
    }),
  },
  {
    name: 'repeats the numbers of a lock',
    families: ['lock'],
    promise: 'fencing token',
    breakage: (handle) => ({
      get: async (key) => {
        const item = await handle.get(key)
        return item !== undefined && key.includes('token:') ? { ...item, value: 1e15 } : item
      },
    }),
  },
  {
    name: 'forgets the calls of a rate limit',
    families: ['limit'],
    promise: 'rate limit',
    breakage: (handle) => ({
      compareAndSet: async (key, expected, next) =>
        isRecord(key, '~') ? true : await handle.compareAndSet(key, expected, next),
    }),
  },
  {
    name: 'refuses a value that it can keep',
    families: ['plain'],
    promise: 'error',
    breakage: (handle) => {
      const isRefused = every(20)
      return {
        set: async (item) => {
          if (isRefused()) throw new CacheError('NOT_STORABLE', 'refused')
          await handle.set(item)
        },
      }
    },
  },
]

describe('a history of two caches on one store', () => {
  it.each<{ readonly families: readonly Family[] }>([
    { families: ['plain', 'tagged', 'count', 'load'] },
    { families: ['plain'] },
    { families: ['tagged'] },
    { families: ['count'] },
    { families: ['load'] },
    { families: ['lock', 'limit'] },
  ])('passes where the store is correct ($families)', async ({ families }) => {
    const history = await simulate(families, seed, () => ({}))
    const { findings, passed, undecided } = checkHistory(history, strict)
    expect(findings, `SEED=${seed}`).toEqual([])
    expect(undecided).toBe(0)
    expect(passed).toBeGreaterThan(1)
  })

  it.each(brokenBackends)('fails where the store $name', async ({ families, promise, breakage }) => {
    const history = await simulate(families, seed, breakage)
    const { findings } = checkHistory(history, strict)
    expect(
      findings.map((finding) => finding.promise),
      `SEED=${seed}`,
    ).toContain(promise)
  })
})
