import { type CacheBackend, invalidArgument } from '@cache/core/backend'

/** Returns the backend, or throws `INVALID_ARGUMENT` where the given is none. */
export function checkBackend(given: unknown, name: string, operation: string): CacheBackend {
  const members = given as Record<string, unknown> | null | undefined
  const required = ['get', 'set', 'delete', 'clear']
  if (
    typeof members !== 'object' ||
    members === null ||
    !required.every((member) => typeof members[member] === 'function')
  ) {
    throw invalidArgument(name, given, 'a backend, with get, set, delete, clear', operation)
  }
  return given as CacheBackend
}

export function checkBoolean(given: unknown, name: string, operation: string): boolean {
  if (typeof given !== 'boolean') throw invalidArgument(name, given, 'true or false', operation)
  return given
}
