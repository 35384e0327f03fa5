/** The time that one write may take. */
export interface WriteTimeouts {
  /** Milliseconds in all. */
  readonly timeout: number
  /** Milliseconds of them that it may wait for locked rows; absent: the short limit that the session has set. */
  readonly lockTimeout?: number | undefined
}

/** The part of `lockTimeout` after which a statement that meets a locked row first gives up. */
const firstShare = 0.25
/** The most milliseconds of this part: calls for free rows of the same batch wait as long. */
const longestFirst = 1000

/**
 * Milliseconds that a statement waits at most for a lock which a busy server holds for a moment, such as that of the
 * table's end. A statement that may wait longer waits for a locked row.
 */
export const momentaryLock = 50

/** Milliseconds that a batch first waits for locked rows, before its calls are tried one by one. */
export function firstLockTimeout(lockTimeout: number): number {
  return Math.min(longestFirst, Math.ceil(lockTimeout * firstShare))
}
