import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

let ready: Promise<NodeJS.ProcessEnv> | undefined

/**
 * An environment in which the programs of this folder start in a third of the time, because their modules are compiled once.
 * Killed processes leave no compiled modules, so the first process ends regularly.
 */
export function quickStart(): Promise<NodeJS.ProcessEnv> {
  ready ??= prepare()
  return ready
}

async function prepare(): Promise<NodeJS.ProcessEnv> {
  const folder = await mkdtemp(join(tmpdir(), 'cache-file-compiled-'))
  const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') }
  const program = new URL('first-write.ts', import.meta.url).pathname
  await promisify(execFile)(process.execPath, [program, join(folder, 'cache'), 'a'], { env })
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return env
}
