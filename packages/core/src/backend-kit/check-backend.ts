import { withMethods } from '../protocol/argument.ts'
import type { CacheBackend } from '../protocol/backend.ts'

/** Returns the backend when it has the four required methods, else throws `INVALID_ARGUMENT`. */
export function checkBackend(given: unknown, name: string, method: string): CacheBackend {
  return withMethods(given as CacheBackend, ['get', 'set', 'delete', 'clear'], name, 'a backend', method)
}
