import { invalidArgument } from './argument.ts'
import type { CacheBackend, SyncCacheBackend } from './backend.ts'

const required = ['get', 'set', 'delete', 'clear'] as const

/**
 * Throws `INVALID_ARGUMENT` unless `given` is a backend: an object with a name and the four required methods. A `Map` has no name. A
 * `Cache` has the methods and a name, but other meanings of them; `getOrSet` tells it apart.
 */
export function checkBackend(
  given: unknown,
  name: string,
  method: string,
): asserts given is CacheBackend | SyncCacheBackend {
  const members = given as Record<string, unknown> | null | undefined
  if (members !== null && typeof members === 'object' && typeof members.getOrSet === 'function')
    throw invalidArgument(name, given, "a backend, not a cache: pass the cache's own backend", method)
  if (
    members === null ||
    typeof members !== 'object' ||
    typeof members.name !== 'string' ||
    members.name === '' ||
    required.some((member) => typeof members[member] !== 'function')
  )
    throw invalidArgument(name, given, 'a CacheBackend, an object with name, get, set, delete and clear', method)
}
