import { ItemFormat, type ItemFormatOptions, itemFormatOptionNames } from '@cache/codecs'
import {
  type Clock,
  checkOptions,
  type Duration,
  invalidArgument,
  milliseconds,
  nonEmptyString,
  systemClock,
  wholeNumber,
} from '@cache/core/backend'
import type { EvictionPolicy } from './index/schema.ts'
import type { Engine } from './index/sqlite.ts'

/** What an acknowledged write survives. */
export type Durability = 'normal' | 'full'

export interface FileBackendOptions extends ItemFormatOptions {
  /** The directory of the cache. Made with its parents when it is not there. Several processes may use one. */
  readonly dir: string
  /** Begins the names of this backend's files, so that several caches share one directory and see nothing of each other. Default: none. */
  readonly prefix?: string
  /**
   * `'normal'` (default): an acknowledged write survives the end of the process by any means; a loss of power may cost the
   * last `syncInterval`. `'full'`: it survives a loss of power too, and each write waits for the disk.
   */
  readonly durability?: Durability
  /** How often what was written is made safe against a loss of power, with durability `'normal'`. Default `'1s'`; `Infinity` leaves it to the operating system. */
  readonly syncInterval?: Duration
  /** How often expired items and left over files are removed besides what every write removes. Default `'1m'`; `Infinity` for never. */
  readonly janitorInterval?: Duration
  /** Bytes of all items: their keys, their encoded values, in files too, and 128 for each. Default 1 GB (10^9); `Infinity` for no limit. */
  readonly maxBytes?: number
  /** How many items there may be. Default `Infinity`. */
  readonly maxEntries?: number
  /** Which items go first when a limit is reached. Default `'lrs'`. With `'none'`, writes beyond the limit reject with `OUT_OF_MEMORY`. */
  readonly policy?: EvictionPolicy
  /** An encoded value of more bytes gets a file of its own. Default 262,144 (256 KiB). */
  readonly largeValueBytes?: number
  /** Permissions of files. Default `0o600`. */
  readonly fileMode?: number
  /** Permissions of directories. Default `0o700`. */
  readonly dirMode?: number
  /** How long a write waits for other processes before it rejects with `TIMEOUT`. Default `'10s'`. */
  readonly lockTimeout?: Duration
  /** What to do on a file system that is shared over a network, where the locks of SQLite cannot be relied on. Default `'refuse'`. */
  readonly networkFileSystem?: 'refuse' | 'warn' | 'allow'
  /** Default: the SQLite of the runtime, else better-sqlite3 where that is installed. */
  readonly engine?: Engine
  /** Judges lifetimes. Default: the clock of the machine, which all processes of a directory share. */
  readonly clock?: Clock
}

/** `FileBackendOptions` with every default filled in, in the units that the code works with. */
export interface Settings {
  readonly dir: string
  readonly filePrefix: string
  readonly format: ItemFormat
  readonly durability: Durability
  readonly syncInterval: number
  readonly janitorInterval: number
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
  'janitorInterval',
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

const operation = 'FileBackend'
const engines = ['node:sqlite', 'better-sqlite3'] as const
const policies = ['lrs', 'lru', 'lfu', 'none'] as const

/** Throws `INVALID_ARGUMENT` for a missing `dir`, an unknown option or a value out of range. */
export function resolveOptions(options: FileBackendOptions): Settings {
  checkOptions(options, [...ownNames, ...itemFormatOptionNames], operation)
  const format: Record<string, unknown> = {}
  for (const name of itemFormatOptionNames) {
    const given = options[name as keyof ItemFormatOptions]
    if (given !== undefined) format[name] = given
  }
  return {
    dir: pathOf(options.dir),
    filePrefix: filePrefix(options.prefix),
    format: new ItemFormat(format as ItemFormatOptions),
    durability: oneOf(options.durability ?? 'normal', ['normal', 'full'], 'durability'),
    syncInterval: interval(options.syncInterval ?? '1s', 'syncInterval'),
    janitorInterval: interval(options.janitorInterval ?? '1m', 'janitorInterval'),
    maxBytes: limit(options.maxBytes ?? 1e9, 'maxBytes'),
    maxEntries: limit(options.maxEntries ?? Infinity, 'maxEntries'),
    policy: oneOf(options.policy ?? 'lrs', policies, 'policy'),
    largeValueBytes: wholeNumber(options.largeValueBytes ?? 256 * 1024, 'largeValueBytes', operation, 0, 100_000_000),
    fileMode: mode(options.fileMode ?? 0o600, 'fileMode', 0o600),
    dirMode: mode(options.dirMode ?? 0o700, 'dirMode', 0o700),
    lockTimeout: interval(options.lockTimeout ?? '10s', 'lockTimeout'),
    networkFileSystem: oneOf(options.networkFileSystem ?? 'refuse', ['refuse', 'warn', 'allow'], 'networkFileSystem'),
    engine: options.engine === undefined ? undefined : oneOf(options.engine, engines, 'engine'),
    clock: clockOf(options.clock ?? systemClock),
  }
}

function pathOf(dir: unknown): string {
  const path = nonEmptyString(dir, 'dir', operation)
  if (path.includes('\0')) throw invalidArgument('dir', dir, 'a path without NUL', operation)
  return path
}

/**
 * Letters that file systems tell apart stay, everything else is written as `%` and digits: distinct prefixes are distinct
 * names also where names differ in no more than case, and no prefix is a path.
 */
function filePrefix(prefix: unknown): string {
  if (prefix === undefined) return ''
  const text = nonEmptyString(prefix, 'prefix', operation)
  const name = text.replace(/[^a-z0-9_-]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  if (name.length > 200) throw invalidArgument('prefix', prefix, 'short enough for a file name', operation)
  return `${name}.`
}

function oneOf<const Choice extends string>(given: string, allowed: readonly Choice[], name: string): Choice {
  if (!allowed.includes(given as Choice)) throw invalidArgument(name, given, `one of ${allowed.join(', ')}`, operation)
  return given as Choice
}

function interval(given: Duration, name: string): number {
  const ms = milliseconds(given, name, operation)
  if (ms < 1) throw invalidArgument(name, given, 'at least 1 ms, or Infinity', operation)
  return ms
}

function limit(given: unknown, name: string): number {
  return given === Infinity ? Infinity : wholeNumber(given, name, operation, 1)
}

function mode(given: unknown, name: string, least: number): number {
  const bits = wholeNumber(given, name, operation, 0, 0o777)
  if ((bits & least) !== least) {
    throw invalidArgument(name, given, `permissions that include 0o${least.toString(8)}`, operation)
  }
  return bits
}

function clockOf(clock: Clock): Clock {
  if (typeof clock !== 'object' || clock === null || typeof clock.now !== 'function') {
    throw invalidArgument('clock', clock, 'an object with now()', operation)
  }
  return clock
}
