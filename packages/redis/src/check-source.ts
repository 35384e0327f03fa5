import { CacheError, checkOptions, invalidArgument, isList, nonEmptyString, withMethods } from '@cache/core/backend'

/** The options that say where Redis is, as the application gave them. */
export interface GivenSource {
  readonly url?: unknown
  readonly options?: unknown
  readonly cluster?: unknown
  readonly client?: unknown
}

/** Methods that clients of ioredis, iovalkey and ioredis-mock have, and those of node-redis have not all. */
const clientMethods = ['on', 'off', 'duplicate', 'disconnect', 'defineCommand', 'pipeline', 'getBuffer']

type Members = Readonly<Record<string, unknown>>

/** The highest number that SELECT takes. */
const highestDatabase = 2 ** 31 - 1
const urlPattern = /^rediss?:\/\//

/**
 * Checks the address of Redis and the options of ioredis, and returns the number of the database. No message contains text
 * that was given, because it may hold a password. Throws `INVALID_ARGUMENT`.
 */
export function checkSource({ url, options, cluster, client }: GivenSource, operation: string): number {
  const sources = [url, cluster, client].filter((source) => source !== undefined).length
  if (sources > 1 || (sources === 0 && options === undefined) || (client !== undefined && options !== undefined)) {
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${operation}: give exactly one of 'url', 'cluster', 'client', or 'options' alone; 'options' may refine 'url' and 'cluster'`,
      { operation },
    )
  }
  if (options !== undefined) checkClientOptions(options, 'options', operation)
  if (client !== undefined) return checkClient(client, operation)
  if (cluster !== undefined) return checkCluster(cluster, options as Members | undefined, operation)
  const database = url === undefined ? undefined : checkUrl(url, 'url', operation)
  return database ?? ((options as Members | undefined)?.db as number | undefined) ?? 0
}

/** The database that a URL names; `undefined` where it names none. */
function checkUrl(given: unknown, name: string, operation: string): number | undefined {
  nonEmptyString(shown(given), name, operation)
  const url = given as string
  if (!urlPattern.test(url)) {
    throw invalidArgument(name, notShown, 'a URL that starts with redis:// or rediss://', operation)
  }
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !isDecodable(parsed)) {
    const allowed = 'a URL such as redis://user:password@host:6379/0, with special characters as %40'
    throw invalidArgument(name, notShown, allowed, operation)
  }
  refuseKeyPrefix(parsed.searchParams.get('keyPrefix'), operation)
  const path = parsed.pathname.slice(1)
  const text = path === '' ? parsed.searchParams.get('db') : path
  if (text === null) return undefined
  const database = /^\d+$/.test(text) ? Number(text) : -1
  if (database >= 0 && database <= highestDatabase) return database
  throw invalidArgument(
    `the database in ${name}`,
    notShown,
    'a whole number of 0 or more, as in redis://host/2',
    operation,
  )
}

/** Whether ioredis can decode the user and the password. */
function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username)
    decodeURIComponent(password)
    return true
  } catch {
    return false
  }
}

function checkClientOptions(given: unknown, name: string, operation: string): void {
  const options = objectOf(given, name, operation)
  const { db, keyPrefix } = options
  if (db !== undefined && !(Number.isInteger(db) && (db as number) >= 0 && (db as number) <= highestDatabase)) {
    throw invalidArgument(`${name}.db`, shown(db), 'a whole number of 0 or more', operation)
  }
  refuseKeyPrefix(keyPrefix, operation)
}

function checkCluster(given: unknown, options: Members | undefined, operation: string): number {
  checkOptions(shown(given), ['nodes', 'options'], operation)
  const { nodes, options: own } = given as { readonly nodes?: unknown; readonly options?: unknown }
  if (!isList(nodes) || nodes.length === 0) {
    throw invalidArgument('cluster.nodes', shown(nodes), 'a list of at least one node', operation)
  }
  const databases = nodes.map((node, index) => databaseOfNode(node, `cluster.nodes[${index}]`, operation))
  databases.push(options?.db)
  if (own !== undefined) {
    const clusterOptions = objectOf(own, 'cluster.options', operation)
    refuseReplicas(clusterOptions.scaleReads, operation)
    refuseKeyPrefix(clusterOptions.keyPrefix, operation)
    if (clusterOptions.redisOptions !== undefined) {
      checkClientOptions(clusterOptions.redisOptions, 'cluster.options.redisOptions', operation)
      databases.push((clusterOptions.redisOptions as Members).db)
    }
  }
  // ioredis would ignore that the servers refuse SELECT, and use database 0.
  const other = databases.find((database) => database !== undefined && database !== 0)
  if (other !== undefined) throw invalidArgument('the database of a Cluster', shown(other), '0', operation)
  return 0
}

/** The database of a first node: a port, a URL, or an object with `host` and `port`. */
function databaseOfNode(node: unknown, name: string, operation: string): unknown {
  if (typeof node === 'number') return undefined
  if (typeof node === 'string') {
    return checkUrl(urlPattern.test(node) || node === '' ? node : `redis://${node}`, name, operation)
  }
  return objectOf(node, name, operation).db
}

/**
 * Checks the shape of a client, because the application may use another copy of ioredis, or iovalkey. A client of
 * node-redis has methods of the same names with other arguments, which would corrupt its connection. Its database.
 */
function checkClient(given: unknown, operation: string): number {
  const what = 'a Redis or Cluster client of ioredis or iovalkey'
  const client = withMethods(shown(given) as Members, clientMethods, 'client', what, operation)
  const { isCluster, options } = client
  const isOther = typeof options !== 'object' || options === null || 'isOpen' in client || 'isReady' in client
  if (isOther || (isCluster !== undefined && typeof isCluster !== 'boolean')) {
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${operation}: client must be ${what}, but was another object, such as a client of node-redis; create it with ioredis, or give the url`,
      { operation },
    )
  }
  const { db, keyPrefix, scaleReads } = options as Members
  refuseKeyPrefix(keyPrefix, operation)
  refuseReplicas(scaleReads, operation)
  return typeof db === 'number' ? db : 0
}

/** ioredis puts its `keyPrefix` before the keys of some commands only, and not in SCAN and scripts. */
function refuseKeyPrefix(keyPrefix: unknown, operation: string): void {
  if (keyPrefix === undefined || keyPrefix === '' || keyPrefix === null) return
  throw new CacheError(
    'INVALID_ARGUMENT',
    `${operation}: ioredis' keyPrefix is not supported; use the option 'prefix'`,
    { operation },
  )
}

/** A replica lags behind its master, so a deleted item would come back. */
function refuseReplicas(scaleReads: unknown, operation: string): void {
  if (scaleReads === undefined || scaleReads === 'master') return
  throw invalidArgument('scaleReads', scaleReads, "'master'", operation)
}

const notShown = '(not shown)'

/** The value for a message. Text in a wrong place may be a URL with a password. */
function shown(given: unknown): unknown {
  return typeof given === 'string' && given !== '' ? notShown : given
}

function objectOf(given: unknown, name: string, operation: string): Members {
  if (typeof given === 'object' && given !== null && !isList(given)) return given as Members
  throw invalidArgument(name, shown(given), 'an object', operation)
}
