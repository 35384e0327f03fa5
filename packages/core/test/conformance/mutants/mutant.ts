import type { Harness } from '../../../src/conformance/index.ts'
import type { CacheBackend, Item } from '../../../src/index.ts'
import type { BytesBackend } from '../bytes-backend.ts'
import { bytesHarness, realTimeHarness } from '../bytes-harness.ts'

/** One wrong behaviour under one condition, on an otherwise correct backend. */
export interface Mutant {
  /** The kind of fault, for counts. */
  readonly kind: string
  readonly does: string
  readonly harness: () => Harness
}

/** A backend with all members, as the reference backends have them. */
export type Full = CacheBackend &
  Required<Pick<CacheBackend, 'getMany' | 'setMany' | 'deleteMany' | 'compareAndSet' | 'increment' | 'keys'>>

/** The members that a mutant changes, in terms of the correct ones. */
export type Change = (correct: Full, backend: BytesBackend) => Partial<Full>

/** The ways to store an item. */
export const stores = ['set', 'setMany', 'compareAndSet'] as const
export type Store = (typeof stores)[number]

export function mutant(kind: string, does: string, change: Change, wrap: 'clock' | 'real time' = 'clock'): Mutant {
  return {
    kind,
    does,
    harness() {
      const base = wrap === 'clock' ? bytesHarness() : realTimeHarness()
      const changed = (backend: CacheBackend): CacheBackend => {
        const correct = bound(backend as BytesBackend)
        return { ...correct, ...change(correct, backend as BytesBackend) }
      }
      const { openMany, openInjected, openLimited, openSecond, openOther, reopen } = base
      return {
        ...base,
        patience: 300,
        open: async (means) => changed(await base.open(means)),
        openSecond: async () => changed(await (openSecond?.() as CacheBackend)),
        openOther: async (relation) => changed(await (openOther?.(relation) as CacheBackend)),
        openLimited: async (entries) => changed(await (openLimited?.(entries) as CacheBackend)),
        reopen: async () => changed(await (reopen?.() as CacheBackend)),
        openMany: async (count) => ((await openMany?.(count)) ?? []).map(changed),
        openInjected: async () => {
          const injected = await openInjected?.()
          if (injected === undefined) throw new Error('the harness has a client')
          return { ...injected, backend: changed(injected.backend) }
        },
      }
    },
  }
}

/** The members of a class as functions of their own, so that a mutant can replace some. */
function bound(backend: BytesBackend): Full {
  return {
    name: backend.name,
    get: (key) => backend.get(key),
    set: (item) => backend.set(item),
    delete: (key) => backend.delete(key),
    clear: (prefix) => backend.clear(prefix),
    getMany: (keys) => backend.getMany(keys),
    setMany: (items) => backend.setMany(items),
    deleteMany: (keys) => backend.deleteMany(keys),
    compareAndSet: (key, expected, next) => backend.compareAndSet(key, expected, next),
    increment: (key, delta, end) => backend.increment(key, delta, end),
    keys: (prefix) => backend.keys(prefix),
    stats: () => backend.stats(),
    listen: (listener, types) => backend.listen(listener, types),
    close: () => backend.close(),
  }
}

/** Changes each item that one call stores. */
export function altering(method: Store, alter: (item: Item, backend: BytesBackend) => Item): Change {
  return (correct, backend) => {
    if (method === 'set') return { set: (item) => correct.set(alter(item, backend)) }
    if (method === 'setMany') return { setMany: (items) => correct.setMany(items.map((item) => alter(item, backend))) }
    return {
      compareAndSet: (key, expected, next) => correct.compareAndSet(key, expected, next && alter(next, backend)),
    }
  }
}

/** Changes each item that one call returns. */
export function alteringReads(method: 'get' | 'getMany', alter: (item: Item) => Item | undefined): Change {
  return (correct) => {
    const one = (item: Item | undefined): Item | undefined => item && alter(item)
    if (method === 'get') return { get: async (key) => one(await correct.get(key)) }
    return { getMany: async (keys) => (await correct.getMany(keys)).map(one) }
  }
}

export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
