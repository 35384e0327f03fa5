import { type BackendEvent, cacheErrorCode } from '@cache/core/backend'
import type { FileBackend } from '../../src/index.ts'

/** The codes of all errors that the backend reports from now on, and the types of its other events. */
export function codesOf(backend: FileBackend): unknown[] {
  const codes: unknown[] = []
  backend.listen((event: BackendEvent) => codes.push(event.type === 'error' ? cacheErrorCode(event.error) : event.type))
  return codes
}
