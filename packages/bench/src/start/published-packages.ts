import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const packages = join(import.meta.dirname, '../../..')

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly publishConfig?: object
}

/** A folder whose `node_modules` has each public package with the files that it publishes, and their dependencies. */
export async function publishedPackages(): Promise<{ readonly folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'cache-start-'))
  for (const name of await readdir(packages)) {
    const source = join(packages, name)
    const manifest: Manifest = JSON.parse(await readFile(join(source, 'package.json'), 'utf8'))
    if (manifest.private === true) continue
    const target = join(folder, 'node_modules', manifest.name)
    await promisify(execFile)(process.execPath, ['../build/src/index.ts'], { cwd: source })
    await cp(join(source, 'dist'), join(target, 'dist'), { recursive: true })
    await writeFile(join(target, 'package.json'), JSON.stringify({ ...manifest, ...manifest.publishConfig }))
    for (const dependency of Object.keys(manifest.dependencies ?? {})) {
      if (!dependency.startsWith('@cache/')) await link(source, dependency, folder)
    }
  }
  for (const peer of ['bentocache', 'lru-cache']) await link(join(packages, 'bench'), peer, folder)
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

async function link(from: string, name: string, folder: string): Promise<void> {
  const target = join(folder, 'node_modules', name)
  await mkdir(dirname(target), { recursive: true })
  await symlink(await realpath(join(from, 'node_modules', name)), target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
