/** Caches from a URL or a configuration. */
export type {
  BackendConfig,
  CacheConfig,
  OpenOptions,
  ProviderName,
  RedisSection,
  Section,
  Serialization,
} from './cache-config.ts'
export { openBackend, openCache } from './open-cache.ts'
