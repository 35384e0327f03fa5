import type { CacheBackend } from '@cache/core/backend'
import {
  conformance,
  createMovableClock,
  type Harness,
  throughPrefix,
  throughTwoHandles,
} from '@cache/core/conformance'
import { MemoryBackend } from '@cache/memory'
import { describe, it } from 'vitest'
import { failover, ResilientBackend } from '../src/index.ts'
import { BreakableBackend } from './breakable-backend.ts'

const without = {
  openLimited: 'limits are those of the backend within',
  openOther: 'prefixes are those of the backend within',
  openMany: 'handles share nothing but the backend within',
  openInjected: 'the backend within is what the application hands in, and rule 10.6 shows that it stays open',
  corrupt: 'stored bytes are those of the backend within',
  futureFormat: 'stored bytes are those of the backend within',
} as const

/** Over stores in memory that all handles of a rule share; `build` makes a handle of the first two. */
function harness(name: string, build: (one: BreakableBackend, two: BreakableBackend) => CacheBackend): Harness {
  const clock = createMovableClock()
  let stores: [BreakableBackend, BreakableBackend] | undefined
  const make = (of: string): BreakableBackend =>
    new BreakableBackend(new MemoryBackend({ maxEntries: 1_000_000, clock }), of)
  const handle = (): CacheBackend => {
    if (stores === undefined) throw new Error('open comes first')
    return build(...stores)
  }
  return {
    name,
    clock,
    values: 'references',
    open: () => {
      stores = [make('primary'), make('secondary')]
      return handle()
    },
    openSecond: handle,
    reopen: handle,
    break: () => {
      for (const store of stores ?? []) store.failure = 'UNAVAILABLE'
    },
    heal: () => {
      for (const store of stores ?? []) store.failure = undefined
    },
    dispose: async () => {
      for (const store of stores ?? []) await store.inner.close?.()
      stores = undefined
    },
    without,
  }
}

/** The stores outlive the handles: a rule opens a second handle after the first was closed, and `dispose` closes them. */
const closeParts = false
const bulkhead = { concurrent: 20, queue: 100_000 }

const resilient = harness(
  'resilient',
  (one) => new ResilientBackend({ backend: one, retry: { delay: 1 }, bulkhead, closeParts }),
)

const healthy = harness('failover, served by the primary', (one, two) => failover([one, two], { closeParts }))

const { openSecond, reopen, ...alone } = harness('failover, served by the secondary', (one, two) => {
  const dead = new BreakableBackend(one, 'dead')
  dead.failure = 'UNAVAILABLE'
  return failover([dead, two], { closeParts })
})
const atSecondary: Harness = {
  ...alone,
  without: {
    ...without,
    openSecond: 'a secondary belongs to one handle',
    reopen: 'a secondary starts empty',
  },
}

for (const each of [resilient, healthy]) {
  conformance(each, { describe, it })
  conformance(throughTwoHandles(each), { describe, it })
}
conformance(atSecondary, { describe, it })
conformance(throughPrefix(resilient), { describe, it })
