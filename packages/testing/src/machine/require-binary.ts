import { findBinary } from './find-binary.ts'
import { installPackage } from './install-package.ts'

/** The programs that the tests start, and the Debian package of each. */
export const packageOf: Readonly<Record<string, string>> = {
  'redis-server': 'redis-server',
  postgres: 'postgresql',
  initdb: 'postgresql',
  pgbouncer: 'pgbouncer',
  openssl: 'openssl',
}

/**
 * Resolves to the path of a server's program: one that the machine has, else one that its package manager installs now.
 * Rejects with the one command that helps.
 */
export async function requireBinary(name: string): Promise<string> {
  const found = await findBinary(name)
  if (found !== undefined) return found
  await installPackage(packageOf[name] ?? name)
  const installed = await findBinary(name)
  if (installed === undefined)
    throw new Error(`${packageOf[name] ?? name} was installed, but there is no ${name} in it`)
  return installed
}
