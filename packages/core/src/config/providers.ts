import { invalidArgument, isList } from '../protocol/argument.ts'
import { CacheError } from '../protocol/cache-error.ts'
import type { BackendConfig, RedisSection, Section } from './cache-config.ts'
import { directoryOf } from './read-url.ts'

/** A class of a package, which takes one argument. */
export type Class = new (options: Section) => unknown

/** One kind of backend: where it comes from, and the options of its classes. */
export interface Provider {
  readonly package: string
  readonly backendClass: string
  /** The class of its bus. Absent: it has none. */
  readonly busClass?: string
  /** The fields that it accepts besides its section. */
  readonly fields: readonly string[]
  /** The options of the backend, without codec and compression. */
  backendOptions(config: BackendConfig, where: string): Section
  busOptions?(config: BackendConfig, where: string): Section
}

const byteFields = ['serialization', 'compression']
const defaultEntries = 10_000

/** The backends of this family, by name. */
export const providers: Readonly<Record<'memory' | 'file' | 'redis' | 'postgres', Provider>> = {
  memory: {
    package: '@cache/memory',
    backendClass: 'MemoryBackend',
    fields: ['maxEntries', 'maxBytes', 'policy'],
    backendOptions({ maxEntries, maxBytes, policy, memory = {} }) {
      const limits = { ...given({ maxEntries, maxBytes, policy }), ...memory }
      const isLimited = limits.maxEntries !== undefined || limits.maxBytes !== undefined
      return isLimited ? limits : { ...limits, maxEntries: defaultEntries }
    },
  },
  file: {
    package: '@cache/file',
    backendClass: 'FileBackend',
    fields: ['prefix', 'maxEntries', 'maxBytes', 'policy', ...byteFields],
    backendOptions({ url, prefix, maxEntries, maxBytes, policy, file = {} }, where) {
      const dir = file.dir ?? (url === undefined ? undefined : directoryOf(url, where))
      if (dir === undefined) {
        throw invalidArgument('file.dir', dir, "the path of a directory, or 'url' such as 'file:./cache'", where)
      }
      return { ...given({ prefix, maxEntries, maxBytes, policy }), ...file, dir }
    },
  },
  redis: {
    package: '@cache/redis',
    backendClass: 'RedisBackend',
    busClass: 'RedisBus',
    fields: ['prefix', ...byteFields],
    backendOptions: ({ url, prefix, redis = {} }, where) => ({
      ...given({ prefix }),
      ...without(redis, redisAddress),
      ...redisSource(url, redis, where),
    }),
    busOptions({ url, prefix, redis = {} }, where) {
      const { timeout, connectTimeout, client } = redis
      const begin = redis.prefix ?? prefix
      const source = { ...given({ timeout, connectTimeout, client }), ...redisSource(url, redis, where) }
      return begin === undefined ? source : { ...source, channel: `${String(begin)}bus` }
    },
  },
  postgres: {
    package: '@cache/postgres',
    backendClass: 'PostgresBackend',
    busClass: 'PostgresBus',
    fields: ['prefix', 'maxEntries', 'maxBytes', ...byteFields],
    backendOptions: ({ url, prefix, maxEntries, maxBytes, postgres = {} }) => ({
      ...given({ url, prefix, maxEntries, maxBytes }),
      ...postgres,
    }),
    busOptions({ url, postgres = {} }) {
      const { pool, options, connectTimeout, timeout } = postgres
      return given({ url: postgres.url ?? url, pool, options, connectTimeout, timeout })
    },
  },
}

const redisAddress = ['url', 'host', 'port', 'username', 'password', 'db', 'tls', 'cluster', 'options']

/** The options `url`, `options` and `cluster` of the Redis package. */
function redisSource(url: string | undefined, redis: RedisSection, where: string): Section {
  const { host, port, username, password, db, tls, cluster, options } = redis
  if (tls !== undefined && typeof tls !== 'boolean') throw invalidArgument('redis.tls', tls, 'true or false', where)
  const own = given({ host, port, username, password, db, tls: tls ? {} : undefined })
  const more: Section = { ...own, ...(options as Section | undefined) }
  if (cluster === undefined) {
    const address = redis.url ?? url
    const hasMore = Object.keys(more).length > 0
    if (address === undefined && redis.client === undefined && !hasMore) return { url: 'redis://127.0.0.1:6379' }
    return { ...given({ url: address }), ...(hasMore ? { options: more } : {}) }
  }
  const nodes = typeof cluster === 'string' ? cluster.split(',') : cluster
  if (!isList(nodes) || nodes.length === 0 || nodes.some((node) => typeof node !== 'string' || node === '')) {
    throw invalidArgument('redis.cluster', cluster, "addresses such as ['10.0.0.1:6379']", where)
  }
  const { host: _, port: __, ...redisOptions } = more
  if (host !== undefined || port !== undefined || db !== undefined) {
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${where}: redis.cluster allows neither redis.host, redis.port nor redis.db`,
      {
        operation: 'openCache',
      },
    )
  }
  return { cluster: { nodes: nodes.map((node) => nodeOf(node.trim(), where)), options: { redisOptions } } }
}

function nodeOf(address: string, where: string): { host: string; port: number } {
  const [, host = '', port] = /^(?:rediss?:\/\/)?(?:\[(?=.*\]))?([^@\]/]*?)\]?(?::(\d{1,5}))?$/.exec(address) ?? []
  const number = port === undefined ? 6379 : Number(port)
  if (host === '' || number < 1 || number > 65_535) {
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${where}: redis.cluster must have addresses such as '10.0.0.1:6379'; a user and password go to redis.username and redis.password`,
      { operation: 'openCache' },
    )
  }
  return { host, port: number }
}

/** The members that are not absent. */
export function given(members: Section): Section {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

function without(section: Section, names: readonly string[]): Section {
  return Object.fromEntries(Object.entries(section).filter(([name]) => !names.includes(name)))
}
