import type { CacheBackend } from './backend.ts'

/** A backend that stores nothing: every `get` is a miss. For switching caching off without changing code. */
export const nullBackend: CacheBackend = {
  name: 'null',
  get: async () => undefined,
  set: async () => {},
  delete: async () => false,
  clear: async () => {},
}
