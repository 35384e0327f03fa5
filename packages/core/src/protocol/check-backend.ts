import { hasMember, invalidArgument, withMethods } from './argument.ts'
import type { CacheBackend } from './backend.ts'

/**
 * Returns the backend when it has a name and the four required methods, else throws `INVALID_ARGUMENT`. A `Map` has these
 * methods, but no name. A `Cache` has a name and these methods, but they have other parameters; `getOrSet` tells it apart.
 */
export function checkBackend(given: unknown, name: string, method: string): CacheBackend {
  if (hasMember(given, 'getOrSet', 'function')) {
    throw invalidArgument(name, given, "a backend, not a cache: pass the cache's own backend", method)
  }
  const backend = withMethods(given as CacheBackend, ['get', 'set', 'delete', 'clear'], name, 'a backend', method)
  if (!hasMember(given, 'name', 'string') || backend.name === '') {
    throw invalidArgument(name, given, 'a backend, with a name, get, set, delete, clear', method)
  }
  return backend
}
