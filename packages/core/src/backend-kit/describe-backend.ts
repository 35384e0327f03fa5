import type { BackendPart, CacheBackend } from '../protocol/backend.ts'

/** What a backend reports of itself; for one without `describe`, a store that has to be asked. */
export function describeBackend(backend: CacheBackend): BackendPart {
  return backend.describe?.() ?? { kind: 'store', name: backend.name, status: 'ok', backend }
}

/** The state of a backend that knows of no failure, as `describe` reports it. */
export function openOrClosed(isClosed: boolean): Pick<BackendPart, 'status' | 'message'> {
  return isClosed ? { status: 'down', message: 'the backend was closed' } : { status: 'ok' }
}
