// Run by `verify` under plain `node --test`, in an empty project with the packed packages: the conformance suite needs no
// test runner but the one it is lent.
import { describe, it } from 'node:test'
import { conformance, createMovableClock } from '@cache/core/conformance'
import { MemoryBackend } from '@cache/memory'

const clock = createMovableClock()
conformance(
  {
    name: 'memory, packed',
    values: 'references',
    clock,
    open: () => new MemoryBackend({ maxEntries: 1_000_000, clock }),
    openLimited: (entries) => new MemoryBackend({ maxEntries: entries, clock }),
  },
  { describe, it },
)
