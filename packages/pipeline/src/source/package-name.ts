import { readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'

const folder = `${sep}node_modules${sep}`

/** The installed package to which a file belongs, with its version; `undefined` for a file of the application or of its workspace. */
export async function packageOf(file: string): Promise<string | undefined> {
  const start = file.lastIndexOf(folder)
  if (start < 0) return undefined
  const [first = '', second = ''] = file.slice(start + folder.length).split(sep)
  const name = first.startsWith('@') ? `${first}/${second}` : first
  return `${name}@${await versionOf(join(file.slice(0, start + folder.length), name))}`
}

async function versionOf(directory: string): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'))
  const version = (manifest as { readonly version?: unknown } | null)?.version
  return typeof version === 'string' ? version : 'without version'
}
