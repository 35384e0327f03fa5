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
 * Resolves to the path of a server's program, and installs the program if it is missing. Rejects with the command to
 * type when it cannot install.
 */
export async function requireBinary(name: string): Promise<string> {
  const found = await findBinary(name)
  if (found !== undefined) return found
  await installPackage(packageOf[name] ?? name)
  const installed = await findBinary(name)
  if (installed === undefined)
    throw new Error(`the package ${packageOf[name] ?? name} was installed, but contains no ${name}`)
  return installed
}
