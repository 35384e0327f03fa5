export type { RedisBackendOptions, RedisConnectionOptions } from './options.ts'
export { RedisBackend } from './redis-backend.ts'
