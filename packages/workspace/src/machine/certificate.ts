import { execFile } from 'node:child_process'
import { chmod, chown, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { OsUser } from './os-user.ts'
import { requireBinary } from './require-binary.ts'

/** A self-signed certificate for `localhost` and `127.0.0.1`, valid for a day. */
export interface Certificate {
  readonly certificateFile: string
  readonly keyFile: string
  /** The certificate as PEM. A client with it as its only `ca` trusts this server alone. */
  readonly pem: string
}

/** Resolves to a new certificate in `directory`, readable by `user` alone when one is given. */
export async function makeCertificate(directory: string, user?: OsUser): Promise<Certificate> {
  const openssl = await requireBinary('openssl')
  const certificateFile = join(directory, 'server.crt')
  const keyFile = join(directory, 'server.key')
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1'
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile]
  const certificate = ['-x509', '-days', '1', '-subj', '/CN=localhost', '-addext', names, '-out', certificateFile]
  await promisify(execFile)(openssl, ['req', ...key, ...certificate])
  // PostgreSQL refuses a key that other accounts can read.
  await chmod(keyFile, 0o600)
  if (user) for (const file of [certificateFile, keyFile]) await chown(file, user.uid, user.gid)
  return { certificateFile, keyFile, pem: await readFile(certificateFile, 'utf8') }
}
