import type { Harness } from '../../src/conformance/index.ts'
import type { CacheBackend, Item } from '../../src/index.ts'
import { mapHarness } from './map-harness.ts'
import { TransactionalBackend } from './transactional-backend.ts'

/** A harness over the reference store with transactions. */
export function transactionalHarness(
  wrap: (backend: TransactionalBackend) => CacheBackend = (backend) => backend,
): Harness {
  let backend = new TransactionalBackend({ items: new Map<string, Item>() })
  const { openSecond: _second, clock: _clock, ...harness } = mapHarness()
  return {
    ...harness,
    open() {
      backend = new TransactionalBackend({ items: new Map() })
      return wrap(backend)
    },
    beginTransaction: () => backend.begin(),
  }
}
