import { utimesSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { pipeline } from '../../src/index.ts'
import { hashExport, type SourceCodeOptions, sourceCode } from '../../src/source/index.ts'
import { openCache } from '../rig.ts'
import { project, writeFiles } from './project.ts'

const files = {
  'steps.mjs': "import { k } from './k.mjs'\nexport const load = () => k\nexport default () => 7\n",
  'k.mjs': 'export const k = 1\n',
}

interface Steps {
  readonly load: () => number
  readonly default: () => number
}

async function open() {
  const folder = project(files)
  const url = pathToFileURL(join(folder, 'steps.mjs')).href
  const steps: Steps = await import(/* @vite-ignore */ url)
  return { folder, steps, options: { from: join(folder, 'main.mjs'), modules: { './steps.mjs': steps } } }
}

describe('a pipeline with sourceCode', () => {
  it('finds the functions that modules export, and computes them again when their code changes', async () => {
    const { folder, steps, options } = await open()
    const { cache } = openCache()
    const run = async (own: Steps, code = sourceCode(options)) => {
      const p = pipeline({ name: 'p', cache, code })
      const first = p.node('first', { deps: {} }, own.load)
      const second = p.node('second', { deps: { first } }, own.default)
      const { report } = await p.run(second)
      return report.nodes.map(({ result, reason }) => reason ?? result)
    }
    expect(await run(steps)).toEqual(['absent', 'absent'])
    expect(await run(steps)).toEqual(['hit', 'hit'])
    writeFiles(folder, { 'k.mjs': 'export const k = 2\n' })
    // A new process loads the new code.
    const again: Steps = await import(/* @vite-ignore */ `${pathToFileURL(join(folder, 'steps.mjs')).href}?2`)
    const code = sourceCode({ ...options, modules: { './steps.mjs': again } })
    expect(await run(again, code)).toEqual(['code', 'hit'])
  })

  it('prefers the version of a node, and takes the text of other functions', async () => {
    const { options, steps, folder } = await open()
    const code = sourceCode(options)
    const { hash } = await hashExport({ file: join(folder, 'steps.mjs'), name: 'load' })
    expect(await code.hashOf(steps.load, 'load')).toBe(hash)
    expect(await code.hashOf(() => 1, 'other')).toBe(undefined)
    const p = pipeline({ name: 'p', cache: openCache().cache, code })
    expect((await p.run(p.node('text', {}, () => 1))).value).toBe(1)
  })

  it('rejects when a file was changed after the process had loaded it', async () => {
    const { options, steps, folder } = await open()
    const code = sourceCode(options)
    const later = new Date(Date.now() + 60_000)
    utimesSync(join(folder, 'k.mjs'), later, later)
    const p = pipeline({ name: 'p', cache: openCache().cache, code })
    const node = p.node('load', { deps: {} }, steps.load)
    for (const call of [p.run(node), p.explain(node)])
      await expect(call).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('restart the process'),
      })
  })

  it('refuses wrong options', () => {
    const modules = {}
    const from = import.meta.url
    const cases: readonly (readonly [object, string])[] = [
      [{ modules }, 'from must be'],
      [{ from: './here.ts', modules }, 'from must be'],
      [{ from: 'https://example.com/a.ts', modules }, 'from must be'],
      [{ from }, 'modules must be'],
      [{ from, modules: { './steps.ts': './steps.ts' } }, "modules['./steps.ts'] must be"],
      [{ from, modules, depth: -1 }, 'depth must be'],
      [{ from, modules, depth: 1.5 }, 'depth must be'],
      [{ from, modules, tsconfig: '' }, 'tsconfig must be'],
      [{ from, modules, deep: 1 }, "unknown option 'deep'"],
    ]
    for (const [options, text] of cases) expect(() => sourceCode(options as SourceCodeOptions)).toThrow(text)
    const code = { hash: () => 'x' } as never
    expect(() => pipeline({ name: 'p', cache: openCache().cache, code })).toThrow('code must be')
  })
})
