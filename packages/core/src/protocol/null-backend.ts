import type { CacheBackend } from './backend.ts'

/** A backend that stores nothing: every `get` is a miss. It switches caching off without a change of code. */
export const nullBackend: CacheBackend = {
  name: 'null',
  get: async () => undefined,
  set: async () => {},
  delete: async () => false,
  clear: async () => {},
}
