export { RedisBus } from './bus/redis-bus.ts'
export { RedisTrackingBus } from './bus/redis-tracking-bus.ts'
export type {
  RedisBackendOptions,
  RedisBusOptions,
  RedisConnectionOptions,
  RedisTrackingBusOptions,
} from './options.ts'
export { RedisBackend } from './redis-backend.ts'
