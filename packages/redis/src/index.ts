export type {
  RedisBackendOptions,
  RedisBusOptions,
  RedisConnectionOptions,
  RedisTrackingBusOptions,
} from './options.ts'
export { RedisBackend } from './redis-backend.ts'
export { RedisBus } from './redis-bus.ts'
export { RedisTrackingBus } from './redis-tracking-bus.ts'
