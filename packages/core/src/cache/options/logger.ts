import { invalidArgument } from '../../protocol/argument.ts'

/** The methods of a logger that a cache calls. Loggers of pino and `console` have them. */
export interface CacheLogger {
  /** Loads, refreshes, stale answers and invalidations. */
  debug?(details: object, message: string): void
  /** The end of a recovery. */
  info?(details: object, message: string): void
  /** Failures that the cache makes up for. */
  warn(details: object, message: string): void
  /** Failures of the store, and writes that did not reach the application's database. */
  error(details: object, message: string): void
}

/** The logger of the options. Throws `INVALID_ARGUMENT` for an object without the methods. */
export function loggerOf(given: unknown, operation: string): CacheLogger | undefined {
  if (given === undefined) return undefined
  const logger = given as Readonly<Record<string, unknown>> | null
  const has = (name: string): boolean => typeof logger?.[name] === 'function'
  const mayHave = (name: string): boolean => logger?.[name] === undefined || has(name)
  if (typeof given !== 'object' && typeof given !== 'function')
    throw invalidArgument('logger', given, 'a logger such as console', operation)
  if (!has('warn') || !has('error') || !mayHave('info') || !mayHave('debug'))
    throw invalidArgument(
      'logger',
      given,
      'an object with the methods warn and error, and info and debug if it has these',
      operation,
    )
  return given as CacheLogger
}
