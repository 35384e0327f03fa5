import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Tarballs } from './check-tarballs.ts'
import { runCommand } from './run-command.ts'
import { publicPackages } from './workspace.ts'

/** The names of some packages and of their dependencies within the workspace. */
async function closure(names: readonly string[]): Promise<string[]> {
  const packages = await publicPackages()
  const all = [...names]
  for (const name of all) {
    const dependencies = Object.keys(packages.find((one) => one.name === name)?.manifest.dependencies ?? {})
    for (const dependency of dependencies) {
      if (packages.some((one) => one.name === dependency) && !all.includes(dependency)) all.push(dependency)
    }
  }
  return all
}

/** Installs packed packages with npm into a new project, as an application would, and resolves to its folder. */
export async function emptyProject(directory: string, names: readonly string[], tarballs: Tarballs): Promise<string> {
  await mkdir(directory, { recursive: true })
  const dependencies: Record<string, string> = {}
  for (const name of await closure(names)) {
    const tarball = tarballs.get(name)
    if (tarball === undefined) throw new Error(`${name} was not packed`)
    dependencies[name] = `file:${tarball}`
  }
  const manifest = { name: 'empty', private: true, type: 'module', dependencies }
  await writeFile(join(directory, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  // Strict: a conflict between the peer dependencies of the packed manifests must fail here instead of at a user.
  const args = ['install', '--no-audit', '--no-fund', '--prefer-offline', '--strict-peer-deps', '--ignore-scripts']
  await runCommand('npm', args, { cwd: directory })
  return directory
}
