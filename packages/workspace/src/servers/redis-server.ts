import { findBinary } from '../machine/find-binary.ts'
import { startRedis } from './start-redis.ts'

export interface FoundServer {
  readonly url: string
  /** Ends the server if it was started here. Leaves a server of the environment running. */
  stop(): Promise<void>
}

export interface FindOptions {
  /**
   * Whether to install a missing server. Default true. With false the result is `undefined` where the program is
   * missing.
   */
  readonly install?: boolean
}

/**
 * Resolves to a Redis server: the one that `REDIS_URL` names, else a server started here. Installs a missing program,
 * or rejects with the command to type.
 */
export async function redisServer(options: FindOptions & { readonly install: false }): Promise<FoundServer | undefined>
export async function redisServer(options?: FindOptions): Promise<FoundServer>
export async function redisServer(options: FindOptions = {}): Promise<FoundServer | undefined> {
  const named = process.env.REDIS_URL
  if (named !== undefined && named !== '') return { url: named, stop: async () => {} }
  if (options.install === false && (await findBinary('redis-server')) === undefined) return undefined
  return await startRedis()
}
