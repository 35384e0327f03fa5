import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The top folder of the repository. */
export const root: string = fileURLToPath(new URL('../../../../', import.meta.url))

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly packageManager?: string
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
}

export interface WorkspacePackage {
  readonly name: string
  readonly directory: string
  readonly manifest: Manifest
}

export async function readManifest(directory: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'))
}

/** Resolves to every package of the workspace, private ones included, by name. */
export async function workspacePackages(): Promise<WorkspacePackage[]> {
  const names = (await readdir(join(root, 'packages'))).sort()
  const directories = [...names.map((name) => join(root, 'packages', name)), join(root, 'docs')]
  return await Promise.all(
    directories.map(async (directory) => {
      const manifest = await readManifest(directory)
      return { name: manifest.name, directory, manifest }
    }),
  )
}

/** Resolves to the packages that are published. */
export async function publicPackages(): Promise<WorkspacePackage[]> {
  return (await workspacePackages()).filter(({ manifest }) => manifest.private !== true)
}

/** Resolves to the command that starts the version of pnpm that the workspace pins. */
export async function pnpmCommand(): Promise<[string, ...string[]]> {
  const { packageManager = 'pnpm' } = await readManifest(root)
  return ['npx', '--yes', packageManager]
}
