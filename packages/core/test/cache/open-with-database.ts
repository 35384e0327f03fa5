import { createMovableClock, type MovableClock } from '../../src/conformance/index.ts'
import { Cache, type CacheOptions } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { Database } from './database.ts'

/** A cache in front of a database, on a store with a movable clock. */
export function open(options: Partial<CacheOptions> = {}): {
  readonly clock: MovableClock
  readonly database: Database
  readonly cache: Cache
  readonly backend: MapBackend
} {
  const clock = createMovableClock()
  const database = new Database()
  const backend = new MapBackend({ clock })
  const cache = new Cache({ backend, clock, writer: database, ...options })
  return { clock, database, cache, backend }
}
