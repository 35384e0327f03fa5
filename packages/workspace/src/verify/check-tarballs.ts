import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from './run-command.ts'
import type { Tally } from './tally.ts'
import { pnpmCommand, publicPackages, root, type WorkspacePackage } from './workspace.ts'

/** The packed file of each public package, by the package's name. */
export type Tarballs = ReadonlyMap<string, string>

async function pack({ directory, manifest }: WorkspacePackage, destination: string): Promise<string> {
  const [file, ...args] = await pnpmCommand()
  await runCommand(file, [...args, 'pack', '--pack-destination', destination], { cwd: directory })
  return join(destination, `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`)
}

async function checkOne(tally: Tally, name: string, tarball: string): Promise<void> {
  await tally.check(`publint of ${name}`, () => runCommand('publint', ['run', tarball, '--strict'], { cwd: root }))
  const attw = [tarball, '--profile', 'strict', '--no-color', '--no-emoji', '--format', 'ascii']
  await tally.check(`attw of ${name}`, () => runCommand('attw', attw, { cwd: root }))
}

/** Packs every public package into `destination` and checks the tarballs. Resolves to the files. */
export async function checkTarballs(tally: Tally, destination: string): Promise<Tarballs> {
  await mkdir(destination, { recursive: true })
  const tarballs = new Map<string, string>()
  for (const one of await publicPackages()) {
    await tally.check(`pack of ${one.name}`, async () => {
      const tarball = await pack(one, destination)
      tarballs.set(one.name, tarball)
      await checkOne(tally, one.name, tarball)
    })
  }
  return tarballs
}
