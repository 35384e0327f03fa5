import { findBinary } from '../machine/find-binary.ts'
import { startRedis } from './start-redis.ts'

export interface FoundServer {
  readonly url: string
  /** Ends the server when it was started here; without effect on one that was named in the environment. */
  stop(): Promise<void>
}

export interface FindOptions {
  /** Install the server when the machine has none. Default true; with false the result is then `undefined`. */
  readonly install?: boolean
}

/**
 * Resolves to a Redis server: the one that `REDIS_URL` names, else one started here from the machine's own program, else
 * from a program that the machine's package manager installs now. Rejects with the one command that helps.
 */
export async function redisServer(options: FindOptions & { readonly install: false }): Promise<FoundServer | undefined>
export async function redisServer(options?: FindOptions): Promise<FoundServer>
export async function redisServer(options: FindOptions = {}): Promise<FoundServer | undefined> {
  const named = process.env.REDIS_URL
  if (named !== undefined && named !== '') return { url: named, stop: async () => {} }
  if (options.install === false && (await findBinary('redis-server')) === undefined) return undefined
  return await startRedis()
}
