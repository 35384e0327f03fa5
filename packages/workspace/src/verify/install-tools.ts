import { createHash } from 'node:crypto'
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from './run-command.ts'
import { root } from './workspace.ts'

const cache = join(root, 'node_modules', '.cache', 'verify')

/** Installs packages into a folder that later runs use again, and resolves to its `node_modules`. */
export async function installTools(dependencies: Readonly<Record<string, string>>): Promise<string> {
  const manifest = `${JSON.stringify({ name: 'tools', private: true, dependencies }, undefined, 2)}\n`
  const hash = createHash('sha256').update(manifest).digest('hex').slice(0, 16)
  const directory = join(cache, `tools-${hash}`)
  const isThere = await access(directory).then(
    () => true,
    () => false,
  )
  if (!isThere) {
    // The folder gets its name when it is complete, so a run that ended early leaves none.
    const unfinished = `${directory}-unfinished`
    await rm(unfinished, { recursive: true, force: true })
    await mkdir(unfinished, { recursive: true })
    await writeFile(join(unfinished, 'package.json'), manifest)
    await runCommand('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: unfinished })
    await rename(unfinished, directory)
  }
  return join(directory, 'node_modules')
}
