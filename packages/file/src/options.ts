import { ItemFormat, type ItemFormatOptions, itemFormatOptionNames } from '@cache/codecs'
import {
  type Clock,
  checkClock,
  checkOptions,
  type Duration,
  invalidArgument,
  milliseconds,
  nonEmptyString,
  oneOf,
  wholeNumber,
} from '@cache/core/backend'
import type { EvictionPolicy } from './index/schema.ts'
import type { Engine } from './index/sqlite.ts'

/** The failures that an acknowledged write survives; see `FileBackendOptions.durability`. */
export type Durability = 'normal' | 'full'

export interface FileBackendOptions extends ItemFormatOptions {
  /**
   * The directory of the cache. It is created with its parents if it is missing. Several processes may use one
   * directory.
   */
  readonly dir: string
  /**
   * The start of the names of this backend's files, so that several independent caches can share a directory. Default:
   * none.
   */
  readonly prefix?: string | undefined
  /**
   * `'normal'` (default): an acknowledged write survives every end of the process; a loss of power may cost the writes
   * of the last `syncInterval`. `'full'`: it survives a loss of power too, and each write waits for the disk.
   */
  readonly durability?: Durability | undefined
  /**
   * The time between two syncs, which make earlier writes safe against a loss of power, with durability `'normal'`.
   * Default `'1s'`. `Infinity`: the operating system decides.
   */
  readonly syncInterval?: Duration | undefined
  /**
   * The time between two removals of expired items, expired messages and orphaned files. Writes remove expired items
   * too. Default `'1m'`. `Infinity`: never.
   */
  readonly maintenanceInterval?: Duration | undefined
  /**
   * The limit of all items: keys, encoded values (in files too) and 128 bytes for each. Default 1 GB (10^9).
   * `Infinity`: no limit.
   */
  readonly maxBytes?: number | undefined
  /** The largest number of items. Default `Infinity`. */
  readonly maxEntries?: number | undefined
  /**
   * The items that are evicted first at a limit. Default `'lrs'`. With `'none'`, writes above the limit reject with
   * `OUT_OF_MEMORY`.
   */
  readonly policy?: EvictionPolicy | undefined
  /** A value with more encoded bytes gets its own file. Default 262,144 (256 KiB). */
  readonly largeValueBytes?: number | undefined
  /** Permissions of files. Default `0o600`. */
  readonly fileMode?: number | undefined
  /** Permissions of directories. Default `0o700`. */
  readonly dirMode?: number | undefined
  /** The longest time that a write waits for other processes before it rejects with `TIMEOUT`. Default `'10s'`. */
  readonly lockTimeout?: Duration | undefined
  /**
   * The reaction to a network file system, where the locks of SQLite are not reliable. `'warn'` emits an `error` event.
   * Default `'refuse'`.
   */
  readonly networkFileSystem?: 'refuse' | 'warn' | 'allow' | undefined
  /** The SQLite to use. Default: the one of the runtime, else better-sqlite3 if it is installed. */
  readonly engine?: Engine | undefined
  /** The clock for lifetimes. Default: the clock of the machine, which all processes of a directory share. */
  readonly clock?: Clock | undefined
}

/** The options with all defaults, in the units that the code uses. */
export interface Settings {
  readonly dir: string
  readonly filePrefix: string
  readonly format: ItemFormat
  /** The format of dumps. Its sealed items name no store, so that a dump can be imported into another store. */
  readonly dumpFormat: ItemFormat
  readonly durability: Durability
  readonly syncInterval: number
  readonly maintenanceInterval: number
  readonly maxBytes: number
  readonly maxEntries: number
  readonly policy: EvictionPolicy
  readonly largeValueBytes: number
  readonly fileMode: number
  readonly dirMode: number
  readonly lockTimeout: number
  readonly networkFileSystem: 'refuse' | 'warn' | 'allow'
  readonly engine: Engine | undefined
  readonly clock: Clock
}

const ownNames = [
  'dir',
  'prefix',
  'durability',
  'syncInterval',
  'maintenanceInterval',
  'maxBytes',
  'maxEntries',
  'policy',
  'largeValueBytes',
  'fileMode',
  'dirMode',
  'lockTimeout',
  'networkFileSystem',
  'engine',
  'clock',
] as const

const method = 'FileBackend'
const engines = ['node:sqlite', 'better-sqlite3'] as const
const policies = ['lrs', 'lru', 'lfu', 'none'] as const

/** Throws `INVALID_ARGUMENT` for a missing `dir`, an unknown option or a value out of range. */
export function resolveOptions(options: FileBackendOptions): Settings {
  checkOptions(options, [...ownNames, ...itemFormatOptionNames], method)
  const format: Record<string, unknown> = {}
  for (const name of itemFormatOptionNames) {
    const given = options[name as keyof ItemFormatOptions]
    if (given !== undefined) format[name] = given
  }
  const clock = checkClock(options.clock, method)
  const prefix = filePrefix(options.prefix)
  return {
    dir: pathOf(options.dir),
    filePrefix: prefix,
    // A sealed item cannot be moved to a store of another kind or with another prefix.
    format: new ItemFormat(format as ItemFormatOptions, `file:${prefix}`, clock),
    dumpFormat: new ItemFormat(format as ItemFormatOptions, 'file dump', clock),
    durability: oneOf(options.durability ?? 'normal', ['normal', 'full'], 'durability', method),
    syncInterval: interval(options.syncInterval ?? '1s', 'syncInterval'),
    maintenanceInterval: interval(options.maintenanceInterval ?? '1m', 'maintenanceInterval'),
    maxBytes: limit(options.maxBytes ?? 1e9, 'maxBytes'),
    maxEntries: limit(options.maxEntries ?? Infinity, 'maxEntries'),
    policy: oneOf(options.policy ?? 'lrs', policies, 'policy', method),
    largeValueBytes: wholeNumber(options.largeValueBytes ?? 256 * 1024, 'largeValueBytes', method, 0, 100_000_000),
    fileMode: mode(options.fileMode ?? 0o600, 'fileMode', 0o600),
    dirMode: mode(options.dirMode ?? 0o700, 'dirMode', 0o700),
    lockTimeout: interval(options.lockTimeout ?? '10s', 'lockTimeout'),
    networkFileSystem: oneOf(
      options.networkFileSystem ?? 'refuse',
      ['refuse', 'warn', 'allow'],
      'networkFileSystem',
      method,
    ),
    engine: options.engine === undefined ? undefined : oneOf(options.engine, engines, 'engine', method),
    clock,
  }
}

function pathOf(dir: unknown): string {
  const path = nonEmptyString(dir, 'dir', method)
  if (path.includes('\0')) throw invalidArgument('dir', dir, 'a path without NUL', method)
  return path
}

/**
 * The start of file names. Lower-case letters, digits, `_` and `-` stay; every other character becomes `%` and digits.
 * So distinct prefixes give distinct names, even on file systems that ignore case, and no prefix is a path.
 */
function filePrefix(prefix: unknown): string {
  if (prefix === undefined) return ''
  const text = nonEmptyString(prefix, 'prefix', method)
  const name = text.replace(/[^a-z0-9_-]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  if (name.length > 200) throw invalidArgument('prefix', prefix, 'short enough for a file name', method)
  return `${name}.`
}

function interval(given: Duration, name: string): number {
  const ms = milliseconds(given, name, method)
  if (ms < 1) throw invalidArgument(name, given, 'at least 1 ms, or Infinity', method)
  return ms
}

function limit(given: unknown, name: string): number {
  return given === Infinity ? Infinity : wholeNumber(given, name, method, 1)
}

function mode(given: unknown, name: string, least: number): number {
  const bits = wholeNumber(given, name, method, 0, 0o777)
  if ((bits & least) !== least) {
    throw invalidArgument(name, given, `permissions that include 0o${least.toString(8)}`, method)
  }
  return bits
}
