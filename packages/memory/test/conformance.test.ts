import { conformance, createMovableClock, type Harness, throughPrefix, throughSync } from '@cache/core/conformance'
import { describe, it } from 'vitest'
import { MemoryBackend, type MemoryBackendOptions } from '../src/index.ts'

const clock = createMovableClock()
const elsewhere = 'data live and die with the one backend object'

function harness(name: string, options: Partial<MemoryBackendOptions>, overrides: Partial<Harness> = {}): Harness {
  const open = (maxEntries: number): MemoryBackend => new MemoryBackend({ maxEntries, clock, ...options })
  return {
    name,
    open: () => open(1_000_000),
    openLimited: (entries) => open(entries),
    clock,
    values: 'references',
    keeps: ['NaN', 'date', 'map', 'set', 'bytes', 'bigint', 'undefined member', 'lone surrogate'],
    without: {
      openSecond: elsewhere,
      openOther: elsewhere,
      openMany: elsewhere,
      reopen: elsewhere,
      openInjected: 'it has no client',
      corrupt: 'it stores no bytes',
      futureFormat: 'it stores no bytes',
      break: 'it depends on nothing that could fail',
      heal: 'it depends on nothing that could fail',
      freeze: 'it depends on nothing that could fail',
      thaw: 'it depends on nothing that could fail',
    },
    ...overrides,
  }
}

const plain = harness('memory', {})
conformance(plain, { describe, it })
conformance(throughSync(plain), { describe, it })
conformance(throughPrefix(plain), { describe, it })
conformance(harness('memory, exact LRU', { policy: 'lru' }), { describe, it })
conformance(harness('memory, cloned values', { isolation: 'clone' }, { values: 'copies' }), { describe, it })
conformance(harness('memory, limited by bytes', { maxBytes: 2 ** 30 }), { describe, it })
