import type { CacheError, CacheErrorCode } from '../../protocol/cache-error.ts'

/** The part of `process` that the functions use. Browsers and workers lack it. */
interface WarningProcess {
  emitWarning?(message: string, options: { readonly type: string; readonly code: string }): void
}

const advice: { readonly [Code in CacheErrorCode]?: string } = {
  UNAVAILABLE: 'Check that the store runs, and its address, user and password',
  TIMEOUT: 'Check the load of the store and the network, or give the backend a longer timeout',
  OUT_OF_MEMORY: 'Give the store more room, or let it evict items',
  READ_ONLY: 'Check that the address is that of the primary server, and not of a replica',
  DAMAGED: 'Check that all processes use the same codec, types and encryption keys; the value is loaded again',
  QUEUE_FULL: 'Raise the limit of the queue, or check why the store does not keep up',
  CIRCUIT_OPEN: 'The failures before this one tell the reason',
  CLOSED: 'Close a backend only after the caches that use it',
}

const generalAdvice = "The event 'error' has the cause"

/** The kinds of failures that this process has warned of. */
const warned = new Set<string>()

/**
 * Warns of the first value of the process that a store refused. Without a listener for errors nothing else would show that such a
 * value is never stored, and is loaded on every call.
 */
export function warnOfRefusedValue(error: CacheError): void {
  warnOnce(
    'NOT_STORABLE',
    'NOT_STORABLE',
    `A value was not stored in the cache '${error.cache ?? ''}', so that every call will load it. ${error.message}. This warning appears once in a process; every refused value is an 'error' event of the cache, with its key.`,
  )
}

/**
 * Warns of a failure that no caller, listener or logger sees, once in a process for each code and backend. Without it a wrong port or
 * password would only show as slow calls.
 */
export function warnOfFailure(cache: string, error: CacheError): void {
  const { code, backend = '' } = error
  // `warnOfRefusedValue` has warned, also where a listener gets the failure.
  if (code === 'NOT_STORABLE') return
  warnOnce(
    `${code} ${backend}`,
    code,
    `The store of the cache '${cache}' failed, and no caller saw it: ${error.message} (${code}). ${advice[code] ?? generalAdvice}. This warning appears once in a process for each kind of failure; give the cache a logger or a listener for 'error' to see all.`,
  )
}

/** Warns of changes that write-behind did not bring to the application's database, once in a process for each cache. */
export function warnOfFailedWrite(cache: string, error: unknown, willRetry: boolean): void {
  const reason = error instanceof Error ? error.message : String(error)
  const next = willRetry ? 'It will try again' : 'It gave these changes up'
  warnOnce(
    `writeFailed ${cache} ${willRetry}`,
    'WRITE_FAILED',
    `The cache '${cache}' could not write changes to the application's database: ${reason}. ${next}. This warning appears once in a process for each cache; give the cache a logger or a listener for 'writeFailed' to see all, with their keys.`,
  )
}

/** The keys are left out of the messages, because they may be secrets. */
function warnOnce(kind: string, code: string, message: string): void {
  if (warned.has(kind)) return
  warned.add(kind)
  const { process } = globalThis as { readonly process?: WarningProcess }
  process?.emitWarning?.(message, { type: 'CacheWarning', code })
}
