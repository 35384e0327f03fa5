import type { CacheBackend } from '@cache/core/backend'
import { BreakpointBackend, createMovableClock, type Harness, type MovableClock } from '@cache/core/conformance'
import { MemoryBackend } from '@cache/memory'
import { InProcessBus, LayeredBackend } from '../src/index.ts'

/** What one store is made of: the data that all handles share, and what was opened on it. */
export interface Store {
  readonly clock: MovableClock
  readonly far: BreakpointBackend
  readonly bus: InProcessBus
  readonly innerBus: InProcessBus
  readonly nears: BreakpointBackend[]
  readonly opened: CacheBackend[]
}

/** The stores outlive the handles: a rule opens a second handle after the first was closed, and `dispose` closes them. */
const closeParts = false

/** A near layer that answers with promises only. */
export function asyncNear(store: Pick<Store, 'clock' | 'nears'>): BreakpointBackend {
  const near = new BreakpointBackend(memory(store.clock), 'near')
  store.nears.push(near)
  return near
}

/** A near layer that answers at once, and can be broken. */
export function syncNear(store: Pick<Store, 'clock' | 'nears'>): CacheBackend {
  const near = asyncNear(store)
  const { sync } = near.inner
  if (sync === undefined) throw new Error('the memory backend answers at once')
  const breakable = new Proxy(sync, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...given: unknown[]) => {
        if (near.broken) throw new Error('the test broke the near layer')
        return Reflect.apply(member, target, given)
      }
    },
  })
  return { name: near.name, sync: breakable, ...bound(near) }
}

function bound(near: BreakpointBackend): Omit<CacheBackend, 'name' | 'sync'> {
  return {
    get: (key) => near.get(key),
    set: (item) => near.set(item),
    delete: (key) => near.delete(key),
    clear: (prefix) => near.clear(prefix),
  }
}

export function memory(clock: MovableClock): MemoryBackend {
  return new MemoryBackend({ maxEntries: 1_000_000, clock })
}

/** The suite's view of layered backends over a store in memory; `build` makes one handle. */
export function layeredHarness(name: string, build: (store: Store) => CacheBackend): Harness {
  const clock = createMovableClock()
  let store: Store | undefined
  const handle = (): CacheBackend => {
    if (store === undefined) throw new Error('open comes first')
    return build(store)
  }
  return {
    name,
    clock,
    values: 'references',
    open: () => {
      store = {
        clock,
        far: new BreakpointBackend(memory(clock), 'far'),
        bus: new InProcessBus(),
        innerBus: new InProcessBus(),
        nears: [],
        opened: [],
      }
      return handle()
    },
    openSecond: handle,
    reopen: handle,
    break: () => {
      for (const layer of [store?.far, ...(store?.nears ?? [])]) if (layer) layer.broken = true
    },
    heal: () => {
      for (const layer of [store?.far, ...(store?.nears ?? [])]) if (layer) layer.broken = false
    },
    dispose: async () => {
      for (const inner of store?.opened ?? []) await inner.close?.()
      await store?.far.close()
      store = undefined
    },
    without: {
      openLimited: 'limits are those of the layers',
      openOther: 'prefixes are those of the layers',
      openMany: 'handles share nothing but the last layer',
      openInjected: 'the layers are what the application hands in, and rule 10.6 shows that they stay open',
      corrupt: 'stored bytes are those of the layers',
      futureFormat: 'stored bytes are those of the layers',
    },
  }
}

export const syncLayers: Harness = layeredHarness(
  'layered, a near layer that answers at once',
  (store) =>
    new LayeredBackend({ layers: [syncNear(store), store.far], bus: store.bus, clock: store.clock, closeParts }),
)

export const asyncLayers: Harness = layeredHarness(
  'layered, a near layer that takes its time',
  (store) =>
    new LayeredBackend({ layers: [asyncNear(store), store.far], bus: store.bus, clock: store.clock, closeParts }),
)

export const threeLayers: Harness = layeredHarness('layered, three layers and nearTtl', (store) => {
  const layers = [syncNear(store), asyncNear(store), store.far]
  return new LayeredBackend({ layers, bus: store.bus, clock: store.clock, closeParts, nearTtl: '1m' })
})

export const nestedLayers: Harness = layeredHarness('layered, nested', (store) => {
  const { bus, innerBus, clock } = store
  const inner = new LayeredBackend({ layers: [asyncNear(store), store.far], bus: innerBus, clock, closeParts })
  store.opened.push(inner)
  return new LayeredBackend({ layers: [syncNear(store), inner], bus, clock, closeParts })
})

export const nestedNear: Harness = layeredHarness('layered, a near layer made of layers', (store) => {
  const { bus, clock } = store
  const near = new LayeredBackend({ layers: [syncNear(store), asyncNear(store)], clock, closeParts })
  store.opened.push(near)
  return new LayeredBackend({ layers: [near, store.far], bus, clock, closeParts })
})
