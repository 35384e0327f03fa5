export { type Certificate, makeCertificate } from './certificate.ts'
export { findBinary } from './find-binary.ts'
export { freePort } from './free-port.ts'
export { postgresServer } from './postgres-server.ts'
export { type FindOptions, type FoundServer, redisServer } from './redis-server.ts'
export { requireBinary } from './require-binary.ts'
export type { Server } from './server.ts'
export { type PgBouncerOptions, startPgBouncer } from './start-pg-bouncer.ts'
export { type PostgresOptions, type PostgresServer, startPostgres } from './start-postgres.ts'
export { type RedisOptions, type RedisServer, startRedis } from './start-redis.ts'
export {
  type ClusterNode,
  type RedisCluster,
  type RedisClusterOptions,
  startRedisCluster,
} from './start-redis-cluster.ts'
export { type RedisSentinel, type RedisSentinelOptions, startRedisSentinel } from './start-redis-sentinel.ts'
export { type TcpProxy, tcpProxy } from './tcp-proxy.ts'
export { type WaitOptions, waitUntil } from './wait-until.ts'
