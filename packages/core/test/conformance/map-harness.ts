import { createMovableClock, type Harness } from '../../src/conformance/index.ts'
import type { CacheBackend, Item } from '../../src/index.ts'
import { MapBackend } from './map-backend.ts'

/** A harness over the reference store; handles opened by `openSecond` share its `Map`. */
export function mapHarness(wrap: (backend: MapBackend) => CacheBackend = (backend) => backend): Harness {
  const clock = createMovableClock()
  let items = new Map<string, Item>()
  const opened = (): CacheBackend => wrap(new MapBackend({ clock, items }))
  return {
    name: 'map',
    values: 'references',
    seed: 14,
    patience: 500,
    clock,
    open() {
      items = new Map()
      return opened()
    },
    openSecond: opened,
  }
}
