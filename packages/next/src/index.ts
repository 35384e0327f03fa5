export { closeNextCache, nextCacheHandler } from './next-cache-handler.ts'
export type {
  CacheControl,
  Durations,
  GetContext,
  HandlerContext,
  HandlerValue,
  IncrementalHandler,
  IncrementalValue,
  NextCacheHandler,
  SetContext,
  UseCacheEntry,
  UseCacheHandler,
} from './next-types.ts'
export type { NextCacheOptions } from './options.ts'
