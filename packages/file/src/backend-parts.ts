import { invalidArgument, type Lifecycle } from '@cache/core/backend'
import type { DirectoryHandle } from './directory/directory-handle.ts'
import { fileError } from './errors.ts'
import type { Items } from './items.ts'

/** The parts of a `FileBackend` that the other entry points of this package use. */
export interface BackendParts {
  readonly directory: DirectoryHandle
  readonly items: Items
  readonly lifecycle: Lifecycle
}

/** The parts are here and not in the class, so that no published declaration names them. */
const partsByBackend = new WeakMap<object, BackendParts>()

export function setPartsOf(backend: object, parts: BackendParts): void {
  partsByBackend.set(backend, parts)
}

/** The parts of the backend. Throws `INVALID_ARGUMENT` for any other value, and `CLOSED` after `close`. */
export function partsOf(backend: object, method: string, key?: string): BackendParts {
  const parts = typeof backend === 'object' && backend !== null ? partsByBackend.get(backend) : undefined
  if (parts === undefined) {
    throw invalidArgument('backend', backend, 'a FileBackend of the same copy of @cache/file', method)
  }
  parts.lifecycle.refuseWhenClosed(method, key)
  return parts
}

/** Runs a call on the parts, which `close` waits for. Every failure becomes a `CacheError`. */
export async function callBackend<Result>(
  backend: object,
  method: string,
  key: string | undefined,
  call: (parts: BackendParts) => Promise<Result>,
): Promise<Result> {
  const parts = partsOf(backend, method, key)
  try {
    return await parts.lifecycle.run(method, key, () => call(parts))
  } catch (error) {
    throw fileError(error, method, key)
  }
}
