import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { type OutputChunk, rolldown } from 'rolldown'
import { expect, it, onTestFinished } from 'vitest'

const run = promisify(execFile)
const program = join(import.meta.dirname, 'programs/cached.ts')

/** The program as one script, whose exports are members of the global `program`. */
async function bundled(): Promise<OutputChunk> {
  await using bundle = await rolldown({ input: program, platform: 'browser' })
  const { output } = await bundle.generate({ format: 'iife', name: 'program', comments: false })
  expect(output).toHaveLength(1)
  return output[0]
}

it('a bundle of core and memory imports no module of Node', async () => {
  const { code, imports, dynamicImports } = await bundled()
  expect([...imports, ...dynamicImports]).toEqual([])
  expect(code).not.toMatch(/\bnode:|\brequire\(/)
})

it.each([
  ['without a process', undefined],
  [
    'where the modules of Node are refused',
    {
      getBuiltinModule() {
        throw new Error('not supported')
      },
    },
  ],
])('a bundle of core and memory loads without random numbers, and runs %s', async (_where, process) => {
  const { code } = await bundled()
  let loading = true
  const getRandomValues = (array: Uint8Array): Uint8Array => {
    if (loading) throw new Error('random numbers while the program loads')
    return globalThis.crypto.getRandomValues(array)
  }
  const timers: (() => void)[] = []
  const context = createContext({
    crypto: { getRandomValues },
    performance,
    queueMicrotask,
    AbortController,
    AbortSignal,
    setTimeout: (action: () => void) => timers.push(action),
    clearTimeout: () => {},
    process,
  })
  runInContext(code, context)
  loading = false
  expect(await runInContext('program.useCache()', context)).toEqual(['loaded', 1, undefined])
})

it('processes that start from one snapshot make different versions', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cache-snapshot-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const { code } = await bundled()
  const script = `${code}
    const inSnapshot = program.createVersion()
    require('node:v8').startupSnapshot.setDeserializeMainFunction(() => {
      console.log(JSON.stringify([inSnapshot, program.createVersion()]))
    })`
  await writeFile(join(folder, 'entry.js'), script)
  const blob = `--snapshot-blob=${join(folder, 'blob')}`
  await run(process.execPath, [blob, '--build-snapshot', join(folder, 'entry.js')])
  const versions: string[][] = []
  for (let start = 0; start < 2; start += 1) {
    versions.push(JSON.parse((await run(process.execPath, [blob, 'main'])).stdout))
  }
  const parts = versions.flat().map((version) => version.slice(0, 10))
  expect(parts[0]).toBe(parts[2])
  expect(new Set(parts).size).toBe(3)
})
