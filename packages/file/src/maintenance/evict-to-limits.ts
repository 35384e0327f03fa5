import { callBackend } from '../backend-parts.ts'
import type { FileBackend } from '../file-backend.ts'

/** Evicts items until the limits hold; resolves to the number of evicted items. Writes do the same gradually. */
export function evictToLimits(backend: FileBackend): Promise<number> {
  return callBackend(backend, 'evictToLimits', undefined, ({ directory }) => directory.maintenance.evictToLimits())
}
