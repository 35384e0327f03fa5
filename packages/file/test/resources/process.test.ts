import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { FileBackend } from '../../src/index.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

const run = promisify(execFile)
const source = (name: string): string => JSON.stringify(new URL(`../../src/${name}`, import.meta.url).href)

function node(program: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, ['--no-warnings', '--input-type=module', '-e', program, ...args], { timeout: 60_000 })
}

it('a backend that is not closed lets the process end, and its acknowledged writes stay', async () => {
  const dir = await temporaryDirectory()
  const program = `
    import { FileBackend } from ${source('index.ts')}
    import { check } from ${source('maintenance/index.ts')}
    const backend = new FileBackend({ dir: process.argv[1], syncInterval: '10ms', maintenanceInterval: '10ms' })
    await backend.set({ key: 'a', value: 1, version: 'v', createdAt: 1 })
    await backend.set({ key: 'large', value: 'x'.repeat(300_000), version: 'v', createdAt: 1 })
    await Promise.all([backend.get('a'), backend.get('a')])
    // Starts the thread.
    await check(backend)
    console.log('end')`
  expect((await node(program, dir)).stdout).toBe('end\n')
  const backend = new FileBackend({ dir })
  expect((await backend.get('a'))?.value).toBe(1)
  expect((await backend.get('large'))?.value).toBe('x'.repeat(300_000))
  await backend.close()
})

it('a call that waits for its result keeps the process alive without a close', async () => {
  const dir = await temporaryDirectory()
  const program = `
    import { FileBackend } from ${source('index.ts')}
    const backend = new FileBackend({ dir: process.argv[1] })
    backend.set({ key: 'large', value: 'x'.repeat(3_000_000), version: 'v', createdAt: 1 })
      .then(() => backend.get('large'))
      .then((found) => console.log(found.value.length))`
  expect((await node(program, dir)).stdout).toBe('3000000\n')
})

it.each(['index.ts', 'queue/index.ts', 'transactions/index.ts', 'streams/index.ts', 'maintenance/index.ts'])(
  'the import of %s changes nothing in the process',
  async (name) => {
    const program = `
      const prototypes = [Object, Array, Function, Promise, Map, Set, Date, Error, Buffer, Uint8Array, String].map((one) => one.prototype)
      const state = () => JSON.stringify({
        globals: Reflect.ownKeys(globalThis).map(String).sort(),
        listeners: process.eventNames().map((event) => [String(event), process.listenerCount(event)]),
        members: prototypes.map((one) => Reflect.ownKeys(one).map(String)),
        env: process.env,
        umask: process.umask(),
        resources: process.getActiveResourcesInfo(),
        traces: Error.stackTraceLimit,
      })
      // Node creates some members on their first use.
      Reflect.ownKeys(globalThis).map((key) => globalThis[key])
      const before = state()
      await import(${source(name)})
      console.log(before === state() ? 'same' : before + state())`
    expect((await node(program)).stdout).toBe('same\n')
  },
)
