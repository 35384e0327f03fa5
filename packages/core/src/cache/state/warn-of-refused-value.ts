import type { CacheError } from '../../protocol/cache-error.ts'

/** What the function needs of `process`, which browsers and workers lack. */
interface WarningProcess {
  emitWarning?(message: string, options: { readonly type: string; readonly code: string }): void
}

let hasWarned = false

/**
 * Warns of the first value of the process that a store refused. Without a listener for errors nothing else would show that such a
 * value is never stored, and is loaded on every call. The key is left out, because it may be a secret.
 */
export function warnOfRefusedValue(error: CacheError): void {
  if (hasWarned) return
  hasWarned = true
  const { process } = globalThis as { readonly process?: WarningProcess }
  const message = `A value was not stored in the cache '${error.cache ?? ''}', so that every call will load it. ${error.message}. This warning appears once in a process; every refused value is an 'error' event of the cache, with its key.`
  process?.emitWarning?.(message, { type: 'CacheWarning', code: 'NOT_STORABLE' })
}
