import { readFile } from 'node:fs/promises'

/** An account of the operating system. */
export interface OsUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

const preferred = ['postgres', 'nobody']

/**
 * Resolves to the account for servers that refuse to run as root: `postgres`, else `nobody`. Resolves to `undefined`
 * when this process is not root; it then starts servers under its own account.
 */
export async function unprivilegedUser(): Promise<OsUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const rows = (await readFile('/etc/passwd', 'utf8')).split('\n').map((row) => row.split(':'))
  for (const name of preferred) {
    const row = rows.find((fields) => fields[0] === name)
    if (row) return { name, uid: Number(row[2]), gid: Number(row[3]) }
  }
  throw new Error(`PostgreSQL refuses to run as root, and none of these accounts exists: ${preferred.join(', ')}`)
}
