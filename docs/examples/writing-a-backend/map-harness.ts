// #region harness
import type { CacheBackend } from '@cache/core/backend'
import { createMovableClock, type Harness } from '@cache/core/conformance'
import { MapBackend, type MapBackendOptions, type MapStore } from './map-backend.ts'

export function mapHarness(): Harness {
  const clock = createMovableClock()
  let store: MapStore = new Map()
  const open = (options: MapBackendOptions = {}): CacheBackend => new MapBackend({ store, clock, ...options })
  return {
    name: 'map',
    values: 'references',
    clock,
    open() {
      // An empty store for every rule.
      store = new Map()
      return open()
    },
    openSecond: () => open(),
    openOther: () => open({ prefix: 'other:' }),
    without: {
      reopen: 'the data end with the process',
      corrupt: 'values are kept as they are: there are no bytes to damage',
      futureFormat: 'values are kept as they are: there is no format',
      break: 'a Map cannot be unreachable',
      freeze: 'a Map cannot hang',
      openLimited: 'it has no limit',
      openMany: 'there is nothing to make before the first write',
      openInjected: 'it has no client',
    },
  }
}
// #endregion harness
