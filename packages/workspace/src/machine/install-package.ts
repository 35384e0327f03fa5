import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rmdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findBinary } from './find-binary.ts'
import { waitUntil } from './wait-until.ts'

const lock = join(tmpdir(), 'cache-testing-apt.lock')
const lockTimeout = 300_000
let listsUpdated = false

async function run(file: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
  const [code] = await once(child, 'close')
  return { code, output }
}

const homebrewNames: Readonly<Record<string, string>> = { 'redis-server': 'redis', postgresql: 'postgresql@17' }

/** The shell command that installs the Debian package `name`. */
function commandFor(name: string): string {
  if (process.platform === 'darwin') return `brew install ${homebrewNames[name] ?? name}`
  return `sudo apt-get update && sudo apt-get install --yes ${name}`
}

async function aptGet(name: string): Promise<void> {
  if (!listsUpdated) {
    // After a failed update the old lists may suffice; the installation shows whether they do.
    await run('apt-get', ['update'])
    listsUpdated = true
  }
  const { code, output } = await run('apt-get', [
    '-o',
    'DPkg::Lock::Timeout=120',
    'install',
    '--yes',
    '--no-install-recommends',
    name,
  ])
  if (code !== 0) throw new Error(`apt-get install ${name} ended with code ${code}\n${output.slice(-2000)}`)
}

async function takeLock(): Promise<void> {
  await waitUntil(
    `the lock ${lock} is free`,
    async () => {
      const age = await stat(lock).then(
        (entry) => Date.now() - entry.mtimeMs,
        () => 0,
      )
      // A killed run left it.
      if (age > lockTimeout) await rmdir(lock).catch(() => {})
      await mkdir(lock)
      return true
    },
    { timeout: lockTimeout, every: 200 },
  )
}

/**
 * Installs a Debian package when this process is root and the machine has apt-get. Otherwise rejects with the command
 * to type. A lock file makes simultaneous test runs install one after the other.
 */
export async function installPackage(name: string): Promise<void> {
  const isRoot = process.getuid?.() === 0
  if (!isRoot || (await findBinary('apt-get')) === undefined) {
    throw new Error(`${name} is missing on this machine. Install it and run again:\n\n    ${commandFor(name)}\n`)
  }
  await takeLock()
  try {
    await aptGet(name)
  } catch (error) {
    // The message contains the reason, because most reporters show no causes.
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${name} is missing and could not be installed. Try:\n\n    ${commandFor(name)}\n\n${reason}`)
  } finally {
    await rmdir(lock).catch(() => {})
  }
}
