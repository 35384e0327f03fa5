import { globSync } from 'node:fs'
import { readFile, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** A package that lies on this machine. */
export interface InstalledPackage {
  /** Name and version. */
  readonly id: string
  readonly folder: string
}

/** The store of the workspace, seen from wherever this file lies in it. */
async function findStore(): Promise<string> {
  const manifest = await realpath(join(dirname(import.meta.resolve('pg').slice('file://'.length)), '../package.json'))
  return manifest.slice(0, manifest.lastIndexOf('/.pnpm/') + '/.pnpm'.length)
}

/** The first packages of the store, in the order of their ids. */
export async function findPackages(most: number): Promise<InstalledPackage[]> {
  const store = await findStore()
  const manifests = globSync('*/node_modules/{*,@*/*}/package.json', { cwd: store }).sort()
  const found = new Map<string, InstalledPackage>()
  for (const path of manifests) {
    if (found.size === most) break
    const folder = await realpath(join(store, dirname(path)))
    const { name, version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    if (typeof name === 'string' && typeof version === 'string')
      found.set(`${name}@${version}`, { id: `${name}@${version}`, folder })
  }
  return [...found.values()]
}
