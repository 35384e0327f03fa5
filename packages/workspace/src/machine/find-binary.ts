import { access, constants, readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

// Debian, Ubuntu and Homebrew install each PostgreSQL version in a folder outside the PATH.
const versioned = ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt']

async function versionedFolders(): Promise<string[]> {
  const folders: string[] = []
  for (const parent of versioned) {
    const names = await readdir(parent).catch(() => [])
    const matching = names.filter((name) => /^(postgresql@?)?\d+(\.\d+)?$/.test(name))
    // The newest first.
    matching.sort((a, b) => Number.parseFloat(b.replace(/\D*/, '')) - Number.parseFloat(a.replace(/\D*/, '')))
    folders.push(...matching.map((name) => join(parent, name, 'bin')))
  }
  return folders
}

async function isExecutable(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Resolves to the path of an executable on this machine, `undefined` when there is none. */
export async function findBinary(name: string): Promise<string | undefined> {
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  for (const folder of [...path, '/usr/sbin', '/usr/local/sbin', ...(await versionedFolders())]) {
    const file = join(folder, name)
    if (await isExecutable(file)) return file
  }
  return undefined
}
