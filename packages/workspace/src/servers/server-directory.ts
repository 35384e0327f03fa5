import { chown, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OsUser } from '../machine/os-user.ts'

/** Resolves to a new empty folder below the system's temporary folder, owned by `user` when one is given. */
export async function serverDirectory(name: string, user?: OsUser): Promise<string> {
  // Short: the path of a Unix socket in it may not exceed 103 bytes.
  const directory = await mkdtemp(join(tmpdir(), `cache-${name}-`))
  if (user) await chown(directory, user.uid, user.gid)
  return directory
}
