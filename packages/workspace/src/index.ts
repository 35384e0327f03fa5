export { type Certificate, makeCertificate } from './machine/certificate.ts'
export { findBinary } from './machine/find-binary.ts'
export { freePort } from './machine/free-port.ts'
export { requireBinary } from './machine/require-binary.ts'
export { type TcpProxy, tcpProxy } from './machine/tcp-proxy.ts'
export { type WaitOptions, waitUntil } from './machine/wait-until.ts'
export { postgresServer } from './servers/postgres-server.ts'
export { type FindOptions, type FoundServer, redisServer } from './servers/redis-server.ts'
export type { Server } from './servers/server.ts'
export { type PgBouncerOptions, startPgBouncer } from './servers/start-pg-bouncer.ts'
export { type PostgresOptions, type PostgresServer, startPostgres } from './servers/start-postgres.ts'
export { type RedisOptions, type RedisServer, startRedis } from './servers/start-redis.ts'
export {
  type ClusterNode,
  type RedisCluster,
  type RedisClusterOptions,
  startRedisCluster,
} from './servers/start-redis-cluster.ts'
export { type RedisSentinel, type RedisSentinelOptions, startRedisSentinel } from './servers/start-redis-sentinel.ts'
