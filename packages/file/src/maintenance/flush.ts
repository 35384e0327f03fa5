import { callBackend } from '../backend-parts.ts'
import type { FileBackend } from '../file-backend.ts'

/** Resolves when every write acknowledged before the call is safe against a loss of power. */
export function flush(backend: FileBackend): Promise<void> {
  return callBackend(backend, 'flush', undefined, ({ directory }) => directory.sync())
}
