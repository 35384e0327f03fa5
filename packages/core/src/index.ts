export { Cache } from './cache/cache.ts'
export type { CacheLike, SyncCacheLike } from './cache/cache-like.ts'
export type { LockHandle, LockOptions } from './cache/coordination/locks.ts'
export type { Health, HealthOptions, HealthPart, HealthReason } from './cache/health/health.ts'
export { hashLongKeys } from './cache/items/hash-long-keys.ts'
export type { BatchContext, BatchLoader, BatchResult, PairsLoader } from './cache/loading/batch-loading.ts'
export type { Inferred } from './cache/loading/inferred.ts'
export type { LoadContext, Loader } from './cache/loading/load-context.ts'
export type {
  SyncBatchLoader,
  SyncBatchResult,
  SyncLoader,
  SyncPairsLoader,
} from './cache/loading/sync-loading.ts'
export type {
  CacheOptions,
  CommonCacheOptions,
  LoadingOptions,
  SyncCacheOptions,
} from './cache/options/cache-options.ts'
export type { GetOrSetOptions } from './cache/options/get-or-set-options.ts'
export type { LifetimeOptions } from './cache/options/lifetime.ts'
export type { CacheLogger } from './cache/options/logger.ts'
export type { RateLimitOptions, RateLimitResult } from './cache/options/rate-limit-options.ts'
export type { ReadOptions } from './cache/options/read-options.ts'
export type { SyncGetOrSetOptions } from './cache/options/sync-get-or-set-options.ts'
export type { ReplaceOptions, WriteOptions } from './cache/options/write-options.ts'
export type { WriteBehindOptions, Writer, WriterEntry } from './cache/options/writer.ts'
export type { CacheEventName, CacheEvents } from './cache/state/events.ts'
export type { CacheTrace } from './cache/state/tracing.ts'
export { SyncCache } from './cache/sync-cache.ts'
export type { SyncWrapOptions, WrapOptions } from './cache/wrap/wrap.ts'
export type { SyncWrappedFunction, Wrappable, WrappedFunction } from './cache/wrap/wrapped-function.ts'
export type { ExpireOptions } from './cache/writing/conditional-writes.ts'
export type { BoundedCountOptions, Counted, CountOptions } from './cache/writing/counts.ts'
export type { Entries, WriteEntries } from './cache/writing/entries.ts'
export type {
  BackendEvent,
  BackendPart,
  BackendStats,
  CacheBackend,
  EvictionReason,
  NearReader,
  PartKind,
  PartStatus,
  SyncCacheBackend,
} from './protocol/backend.ts'
export type { Bus, BusListener, BusMessage } from './protocol/bus.ts'
export { CacheError, type CacheErrorCode, type CacheErrorDetails, cacheErrorCode } from './protocol/cache-error.ts'
export { type Clock, systemClock } from './protocol/clock.ts'
export type { Codec } from './protocol/codec.ts'
export { type Duration, parseDuration } from './protocol/duration.ts'
export type { Item } from './protocol/item.ts'
export { nullBackend } from './protocol/null-backend.ts'
export type { Stats } from './protocol/stats.ts'
