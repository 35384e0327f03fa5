import type { CacheBackend } from '@cache/core/backend'
import {
  BreakpointBackend,
  conformance,
  createMovableClock,
  type Harness,
  throughPrefix,
  throughTwoHandles,
} from '@cache/core/conformance'
import { MemoryBackend } from '@cache/memory'
import { describe, it } from 'vitest'
import { ShardedBackend } from '../src/index.ts'

/** Over stores in memory that all handles of a rule share. */
function harness(name: string, wrap: (store: BreakpointBackend) => CacheBackend = (store) => store): Harness {
  const clock = createMovableClock()
  let stores: BreakpointBackend[] = []
  const handle = (): CacheBackend =>
    new ShardedBackend({
      shards: Object.fromEntries(stores.map((store, index) => [`s${index}`, wrap(store)])),
      // The stores outlive the handles: a rule opens a second handle after the first was closed, and `dispose` closes them.
      closeParts: false,
    })
  return {
    name,
    clock,
    values: 'references',
    open: () => {
      stores = [0, 1, 2].map(() => new BreakpointBackend(new MemoryBackend({ maxEntries: 1_000_000, clock })))
      return handle()
    },
    openSecond: handle,
    reopen: handle,
    break: () => {
      for (const store of stores) store.broken = true
    },
    heal: () => {
      for (const store of stores) store.broken = false
    },
    dispose: async () => {
      for (const store of stores.splice(0)) await store.inner.close?.()
    },
    without: {
      openLimited: 'limits are those of the shards',
      openOther: 'prefixes are those of the shards',
      openMany: 'handles share nothing but the shards',
      openInjected: 'the shards are what the application hands in, and rule 10.6 shows that they stay open',
      corrupt: 'stored bytes are those of the shards',
      futureFormat: 'stored bytes are those of the shards',
    },
  }
}

/** The four members that every backend has, and no other. */
function four(store: BreakpointBackend): CacheBackend {
  return {
    name: 'four',
    get: (key) => store.get(key),
    set: (item) => store.set(item),
    delete: (key) => store.delete(key),
    clear: (prefix) => store.clear(prefix),
  }
}

const full = harness('sharded')
conformance(full, { describe, it })
conformance(throughPrefix(full), { describe, it })
conformance(throughTwoHandles(full), { describe, it })
conformance(harness('sharded, over the four required members', four), { describe, it })
