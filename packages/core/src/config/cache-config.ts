import type { CacheOptions } from '../cache/options/cache-options.ts'

/** Options of one backend package, passed on to it; the package itself checks them. */
export type Section = Readonly<Record<string, unknown>>

/** Options of the `redis` section: those of `RedisBackend`, and these. */
export interface RedisSection extends Section {
  readonly url?: string | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** The number of the database. */
  readonly db?: number | undefined
  /** Whether connections use TLS, with the certificates of the system. Default `false`. */
  readonly tls?: boolean | undefined
  /** Addresses of the first nodes of a Redis Cluster, such as `['10.0.0.1:6379']`; or one text, separated by commas. */
  readonly cluster?: string | readonly string[] | undefined
}

/** The backends that `openBackend` opens by a name of its own. Any other name is that of a package. */
export type ProviderName = 'memory' | 'file' | 'redis' | 'postgres' | 'null'

/** The value format of a backend that stores bytes. */
export type Serialization = 'msgpack' | 'json' | 'lossy-json' | 'v8' | 'raw'

/** The description of a backend: plain data, for example from a file or an environment variable. */
export interface BackendConfig {
  /** `memory:`, `file:./dir`, `redis://…`, `rediss://…`, `postgres://…` or `null:`, with further fields as its query. */
  readonly url?: string | undefined
  /** The kind of the backend, or the name of a package with the function `openBackend`. Default: by `url`, else the only section. */
  readonly provider?: ProviderName | (string & {}) | undefined
  /** Put in front of every key. Default: that of the backend. */
  readonly prefix?: string | undefined
  /** The largest number of entries. Default: that of the backend; for memory without `maxBytes` 10,000. Redis has its own setting. */
  readonly maxEntries?: number | undefined
  /** The largest size in bytes. Default: that of the backend. Redis has its own setting. */
  readonly maxBytes?: number | undefined
  /** The eviction policy of memory or file. */
  readonly policy?: string | undefined
  /** The codec of values in Redis, PostgreSQL or files. Default `'msgpack'`. */
  readonly serialization?: Serialization | undefined
  /** Compression in Redis, PostgreSQL or files; `true` is `'gzip'`. An object also has `threshold` and `level`. Default: none. */
  readonly compression?: boolean | 'gzip' | 'brotli' | 'zstd' | Section | undefined
  /** Further options of `MemoryBackend`. */
  readonly memory?: Section | undefined
  /** Further options of `FileBackend`. */
  readonly file?: Section | undefined
  /** The address and further options of `RedisBackend`. */
  readonly redis?: RedisSection | undefined
  /** The address and further options of `PostgresBackend`. */
  readonly postgres?: Section | undefined
  /** Options for the `openBackend` of a third-party package. */
  readonly options?: Section | undefined
  /** Two or more backends, nearest first, in place of one. */
  readonly layers?: readonly (string | BackendConfig)[] | undefined
  /** A backend in front of this one, such as `memory:`. Short for `layers` with two members. */
  readonly near?: string | BackendConfig | undefined
  /** Whether layers announce changes through the bus of the last layer. Default: whether it has one (Redis, PostgreSQL). */
  readonly bus?: boolean | undefined
  /** Further options of `LayeredBackend`. */
  readonly layered?: Section | undefined
  /** A backend that takes over while this one fails, such as `memory:`. */
  readonly fallback?: string | BackendConfig | undefined
  /** Further options of `failover`. */
  readonly failover?: Section | undefined
}

/** The description of a cache: its backend, and the options of `Cache`. */
export interface CacheConfig<Value = unknown> extends BackendConfig, Omit<CacheOptions<Value>, 'backend'> {}

/** What a configuration cannot hold. */
export interface OpenOptions {
  /**
   * Imports a package by its name. Default: from the packages of the application (its main file, then the working directory). For
   * bundles and other places without `node_modules`: `(name) => import(name)` in the application.
   */
  readonly import?: ((name: string) => unknown) | undefined
}
