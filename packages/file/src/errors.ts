import { CacheError, type CacheErrorCode, cacheErrorCode } from '@cache/core/backend'

/** The meaning of an error of SQLite or of the file system. */
export type FailureKind = 'busy' | 'full' | 'corrupt' | 'readOnly' | 'unavailable' | 'other'

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const kindOfCode: Readonly<Record<number, FailureKind>> = {
  5: 'busy',
  6: 'busy',
  8: 'readOnly',
  10: 'unavailable',
  11: 'corrupt',
  13: 'full',
  14: 'unavailable',
  15: 'busy',
  // No statement of this package breaks a constraint or a type, so stored data has changed.
  19: 'corrupt',
  20: 'corrupt',
  26: 'corrupt',
}

const codeOfName: Readonly<Record<string, number>> = {
  SQLITE_BUSY: 5,
  SQLITE_LOCKED: 6,
  SQLITE_READONLY: 8,
  SQLITE_IOERR: 10,
  SQLITE_CORRUPT: 11,
  SQLITE_FULL: 13,
  SQLITE_CANTOPEN: 14,
  SQLITE_PROTOCOL: 15,
  SQLITE_CONSTRAINT: 19,
  SQLITE_MISMATCH: 20,
  SQLITE_NOTADB: 26,
}

const kindOfErrno: Readonly<Record<string, FailureKind>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
  EROFS: 'readOnly',
  EACCES: 'readOnly',
  EPERM: 'readOnly',
}

/** Failures that concern one file, but not the directory or the process. */
const singleFileCodes: readonly unknown[] = ['ELOOP', 'EISDIR', 'EFTYPE', 'EACCES', 'EPERM', 'EIO', 'ENXIO']

const codeOfKind: Readonly<Record<FailureKind, CacheErrorCode>> = {
  busy: 'TIMEOUT',
  full: 'OUT_OF_MEMORY',
  corrupt: 'DAMAGED',
  readOnly: 'READ_ONLY',
  unavailable: 'UNAVAILABLE',
  other: 'BACKEND_FAILURE',
}

const reasonOfKind: Readonly<Record<FailureKind, string>> = {
  busy: 'another process held the lock for too long',
  full: 'the disk or its quota is full',
  corrupt: 'the index is damaged',
  readOnly: 'the directory is read-only',
  unavailable: 'the directory is not reachable',
  other: 'unexpected failure',
}

interface SqliteError extends Error {
  /** The extended result code, in errors of `node:sqlite`. */
  readonly errcode?: number
  /** `ERR_SQLITE_ERROR` in errors of `node:sqlite`, the name of the result code in those of better-sqlite3. */
  readonly code?: string
}

/** The messages of SQLite about a schema with damaged text. */
const damagedSchema =
  /^(no such|malformed|near "|unrecognized token|ambiguous|incomplete input|table .* has|unknown|duplicate)/

export function failureKind(error: unknown): FailureKind {
  const { errcode, code, message } = error as SqliteError
  // The message of `node:sqlite` about a number above 2^53, which this package never writes.
  if (code === 'ERR_OUT_OF_RANGE' && message.startsWith('Value is too large to be represented')) return 'corrupt'
  if (errcode === 1 || code === 'SQLITE_ERROR') return damagedSchema.test(message) ? 'corrupt' : 'other'
  // The -shm file beside the index has no space.
  if (errcode === 4874 || code === 'SQLITE_IOERR_SHMSIZE') return 'full'
  if (typeof errcode === 'number') return kindOfCode[errcode & 0xff] ?? 'other'
  if (typeof code !== 'string') return 'other'
  if (code.startsWith('SQLITE_')) {
    const primary = code.split('_').slice(0, 2).join('_')
    return kindOfCode[codeOfName[primary] ?? 0] ?? 'other'
  }
  if (code in kindOfErrno) return kindOfErrno[code] as FailureKind
  return /^E[A-Z0-9]+$/.test(code) ? 'unavailable' : 'other'
}

/** Whether the failure concerns the file that was read and leaves others readable. */
export function concernsOneFile(error: unknown): boolean {
  return singleFileCodes.includes((error as NodeJS.ErrnoException).code)
}

/** An error with SQLite's code for a corrupt index, for a row with impossible content. */
export function corruptIndex(reason: string): Error {
  return Object.assign(new Error(reason), { errcode: 11 })
}

/** The error as a `CacheError` that names the method, the backend and the key. */
export function fileError(error: unknown, method: string, key?: string): CacheError {
  if (cacheErrorCode(error) !== undefined) return withNames(error as CacheError, method, key)
  const kind = failureKind(error)
  const reason = error instanceof Error ? error.message : String(error)
  const details = { operation: method, backend: 'file', key, cause: error }
  return new CacheError(codeOfKind[kind], `${method}: ${reasonOfKind[kind]} (${reason})`, details)
}

/** Adds the missing names to an error from an inner function. */
function withNames(error: CacheError, method: string, key: string | undefined): CacheError {
  if (error.operation !== undefined && error.backend !== undefined && (key === undefined || error.key !== undefined)) {
    return error
  }
  const details = {
    operation: error.operation ?? method,
    backend: 'file',
    key: error.key ?? key,
    cause: error.cause,
  }
  return new CacheError(error.code, error.message, details)
}

/** The error of a stored value that reads as a miss. */
export function damaged(key: string, reason: string, cause?: unknown): CacheError {
  return new CacheError('DAMAGED', `the stored item cannot be read: ${reason}`, { backend: 'file', key, cause })
}
