import type { CacheBackend, SyncCacheBackend } from '../protocol/backend.ts'
import type { Bus } from '../protocol/bus.ts'

/** A backend or a bus that caches and composite backends use, and that the last of them closes. */
export type SharedPart = CacheBackend | SyncCacheBackend | Bus

/** Open users of each part. Parts without users are absent. */
const users = new WeakMap<object, number>()

/** Counts one more cache or composite backend that uses the part. Each call needs one `removeUser`. */
export function addUser(part: SharedPart): void {
  const identity = identityOf(part)
  users.set(identity, (users.get(identity) ?? 0) + 1)
}

/** Ends one use. Returns whether it was the last: the caller then closes the part (RACES R36). */
export function removeUser(part: SharedPart): boolean {
  const identity = identityOf(part)
  const left = (users.get(identity) ?? 1) - 1
  if (left === 0) users.delete(identity)
  else users.set(identity, left)
  return left === 0
}

/** A backend and its `sync` member are one part. */
function identityOf(part: SharedPart): object {
  return 'sync' in part && part.sync !== undefined ? part.sync : part
}
