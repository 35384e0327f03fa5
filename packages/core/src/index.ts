export type { BatchLoader } from './cache/batch-loading.ts'
export { Cache } from './cache/cache.ts'
export type { CacheOptions, CommonCacheOptions, LoadingOptions, SyncCacheOptions } from './cache/cache-options.ts'
export type { CountOptions } from './cache/conditional-writes.ts'
export type { CacheEventName, CacheEvents } from './cache/events.ts'
export type { GetOrSetOptions } from './cache/get-or-set-options.ts'
export { hashLongKeys } from './cache/hash-long-keys.ts'
export type { LifetimeOptions } from './cache/lifetime.ts'
export type { LoadContext, Loader } from './cache/load-context.ts'
export type { LockHandle, LockOptions } from './cache/locks.ts'
export type { RateLimitOptions, RateLimitResult } from './cache/rate-limits.ts'
export type { ReadOptions } from './cache/read-options.ts'
export { SyncCache } from './cache/sync-cache.ts'
export type { SyncGetOrSetOptions } from './cache/sync-get-or-set-options.ts'
export type { SyncBatchLoader, SyncLoader } from './cache/sync-loading.ts'
export type { CacheTrace } from './cache/tracing.ts'
export type { SyncWrapOptions, WrapOptions } from './cache/wrap.ts'
export type { WriteBehindOptions } from './cache/write-behind.ts'
export type { WriteOptions } from './cache/write-options.ts'
export type { Writer, WriterEntry } from './cache/writer.ts'
export type { Entries } from './cache/writes.ts'
export type {
  BackendEvent,
  BackendStats,
  CacheBackend,
  EvictionReason,
  NearReader,
  SyncCacheBackend,
} from './protocol/backend.ts'
export type { Bus, BusListener, BusMessage } from './protocol/bus.ts'
export { CacheError, type CacheErrorCode, type CacheErrorDetails, cacheErrorCode } from './protocol/cache-error.ts'
export { type Clock, systemClock } from './protocol/clock.ts'
export type { Codec } from './protocol/codec.ts'
export type { Duration } from './protocol/duration.ts'
export type { Item } from './protocol/item.ts'
export { nullBackend } from './protocol/null-backend.ts'
export type { Stats } from './protocol/stats.ts'
