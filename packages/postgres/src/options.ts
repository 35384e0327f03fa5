import { type ItemFormatOptions, itemFormatOptionNames } from '@cache/codecs'
import { type Clock, checkOptions, invalidArgument, wholeNumber } from '@cache/core/backend'
import {
  type ConnectionOptions,
  connectionOptionNames,
  type ResolvedConnections,
  resolveConnections,
} from './connections/connection-options.ts'
import { checkFlag, checkObject } from './option-checks.ts'
import { resolveSchema, type SchemaOptions, schemaOptionNames } from './table/schema.ts'

export interface PostgresBackendOptions extends ConnectionOptions, SchemaOptions, ItemFormatOptions {
  /** Stands before every key, so that several backends may share a table. Default none. At most 100 characters. */
  readonly prefix?: string | undefined
  /** Whether the backend creates the table, or updates its schema, before the first use. Default true. */
  readonly migrate?: boolean | undefined
  /**
   * The largest number of entries under this prefix; beyond it the oldest of a sample are removed. Default: no limit.
   */
  readonly maxEntries?: number | undefined
  /**
   * The largest size of keys and values under this prefix, in bytes; beyond it the oldest of a sample are removed.
   * Default: no limit.
   */
  readonly maxBytes?: number | undefined
  /** The clock for expiry times, for tests. Default: the server's clock. */
  readonly clock?: Clock | undefined
}

/** The options with their defaults filled in. */
export interface ResolvedOptions {
  readonly connections: ResolvedConnections
  readonly schema: Required<SchemaOptions>
  readonly format: ItemFormatOptions
  readonly prefix: string
  readonly migrate: boolean
  readonly maxEntries: number
  readonly maxBytes: number
  readonly clock: Clock | undefined
}

const names = [
  ...connectionOptionNames,
  ...itemFormatOptionNames,
  ...schemaOptionNames,
  'prefix',
  'migrate',
  'maxEntries',
  'maxBytes',
  'clock',
]

const method = 'PostgresBackend'

/** Checks the options and fills in the defaults. Throws `INVALID_ARGUMENT`. */
export function resolveOptions(options: PostgresBackendOptions): ResolvedOptions {
  checkOptions(checkObject(options, 'options', method), names, method)
  const format: Record<string, unknown> = {}
  for (const name of itemFormatOptionNames) {
    const given = (options as Record<string, unknown>)[name]
    if (given !== undefined) format[name] = given
  }
  return {
    connections: resolveConnections(options, method),
    schema: resolveSchema(options, method),
    format,
    prefix: checkPrefix(options.prefix ?? ''),
    migrate: checkFlag(options.migrate, true, 'migrate', method),
    maxEntries: checkLimit(options.maxEntries, 'maxEntries'),
    maxBytes: checkLimit(options.maxBytes, 'maxBytes'),
    clock: checkClock(options.clock),
  }
}

function checkPrefix(given: string): string {
  if (typeof given !== 'string' || given.length > 100) {
    throw invalidArgument('prefix', given, 'a string of at most 100 characters', method)
  }
  return given
}

function checkLimit(given: number | undefined, name: string): number {
  return given === undefined ? Number.POSITIVE_INFINITY : wholeNumber(given, name, method, 1)
}

function checkClock(given: Clock | undefined): Clock | undefined {
  if (given !== undefined && typeof given?.now !== 'function') {
    throw invalidArgument('clock', given, 'an object with a function now()', method)
  }
  return given
}
