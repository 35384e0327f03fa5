import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { waitUntil } from '../src/index.ts'
import { processTree } from '../src/machine/process-tree.ts'

const index = fileURLToPath(new URL('../src/index.ts', import.meta.url))

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Starts a server in a test run and kills the run before it can clean up. */
async function killedRun(start: 'startRedis' | 'startPostgres'): Promise<{ pids: number[]; directory: string }> {
  const program = `
    import { ${start} } from ${JSON.stringify(index)}
    const server = await ${start}()
    console.log(JSON.stringify({ pid: server.pid, directory: server.directory }))
  `
  const run = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  const [line] = await once(createInterface({ input: run.stdout }), 'line')
  const { pid, directory }: { pid: number; directory: string } = JSON.parse(line)
  const pids = await processTree(pid)
  expect(pids.every(isAlive)).toBe(true)
  const ended = once(run, 'exit')
  run.kill('SIGKILL')
  await ended
  return { pids, directory }
}

it.each(['startRedis', 'startPostgres'] as const)(
  'a killed test run leaves neither a server of %s nor its folder',
  async (start) => {
    const { pids, directory } = await killedRun(start)
    await waitUntil('the server and its children have ended', () => !pids.some(isAlive))
    await waitUntil('the folder is removed', () => !existsSync(directory))
  },
)
