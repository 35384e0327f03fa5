import { findBinary } from '../machine/find-binary.ts'
import type { FindOptions, FoundServer } from './redis-server.ts'
import { startPostgres } from './start-postgres.ts'

/**
 * Resolves to a PostgreSQL server: the one that `POSTGRES_URL` names, else a server started here. Installs a missing
 * program, or rejects with the command to type.
 */
export async function postgresServer(
  options: FindOptions & { readonly install: false },
): Promise<FoundServer | undefined>
export async function postgresServer(options?: FindOptions): Promise<FoundServer>
export async function postgresServer(options: FindOptions = {}): Promise<FoundServer | undefined> {
  const named = process.env.POSTGRES_URL
  if (named !== undefined && named !== '') return { url: named, stop: async () => {} }
  if (options.install === false && (await findBinary('initdb')) === undefined) return undefined
  return await startPostgres()
}
