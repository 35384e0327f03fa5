import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as esbuild from 'esbuild'
import { build as rolldown } from 'rolldown'
import { describe, expect, it } from 'vitest'
import webpack from 'webpack'
import { type CodeHashesOptions, esbuildPlugin, rollupPlugin, webpackPlugin } from '../../src/build/index.ts'
import { hashExport } from '../../src/source/index.ts'
import { project } from '../source/project.ts'

const packages = join(import.meta.dirname, '../../..')
const external = ['@cache/core', '@cache/memory', '@cache/pipeline']

/** An application that prints the hashes of the code of its nodes. */
const main = (extension: string): string => `
  import { Cache } from '@cache/core'
  import { MemoryBackend } from '@cache/memory'
  import { pipeline } from '@cache/pipeline'
  import { sourceCode } from '@cache/pipeline/source'
  import * as steps from './steps.${extension}'
  const cache = new Cache({ backend: new MemoryBackend({ maxEntries: 100 }) })
  const code = sourceCode({ from: import.meta.url, modules: { './steps.${extension}': steps } })
  const p = pipeline({ name: 'p', cache, code })
  const load = p.node('load', { deps: {} }, steps.load)
  const last = p.node('last', { deps: { load } }, steps.default)
  await p.run(last)
  const part = cache.namespace('pipeline').namespace('p')
  const codes = []
  for (const name of ['load', 'last']) codes.push((await part.get('latest:' + name)).code)
  console.log(JSON.stringify(codes))
  await cache.close()
`

function application(extension: string): string {
  const type = extension === 'ts' ? ': number' : ''
  const folder = project({
    [`main.${extension}`]: main(extension),
    [`steps.${extension}`]: `import { k } from './k.${extension}'
      import { circle } from './circle.${extension}'
      export const load = ()${type} => k + circle()
      export const size = 3
      export default ()${type} => 7`,
    [`k.${extension}`]: 'export const k = 1',
    [`circle.${extension}`]: `import { size } from './steps.${extension}'\nexport const circle = ()${type} => size`,
  })
  mkdirSync(join(folder, 'node_modules/@cache'), { recursive: true })
  for (const name of ['core', 'memory', 'pipeline'])
    symlinkSync(join(packages, name), join(folder, 'node_modules/@cache', name))
  return folder
}

type Bundle = (entry: string, file: string, options: CodeHashesOptions) => Promise<unknown>

const bundlers: Readonly<Record<string, { readonly extensions: readonly string[]; readonly bundle: Bundle }>> = {
  esbuild: {
    extensions: ['mjs', 'ts'],
    bundle: (entry, outfile, options) =>
      esbuild.build({
        entryPoints: [entry],
        outfile,
        bundle: true,
        minify: true,
        format: 'esm',
        platform: 'node',
        external,
        plugins: [esbuildPlugin(options)],
      }),
  },
  rolldown: {
    extensions: ['mjs', 'ts'],
    bundle: (input, file, options) =>
      rolldown({
        input,
        platform: 'node',
        external,
        plugins: [rollupPlugin(options)],
        output: { file, minify: true },
        logLevel: 'silent',
      }),
  },
  webpack: {
    extensions: ['mjs'],
    bundle: (entry, file, options) =>
      new Promise<void>((resolve, reject) => {
        const settings: webpack.Configuration = {
          entry,
          mode: 'production',
          target: 'node',
          experiments: { outputModule: true },
          externals: external,
          externalsType: 'module',
          output: { path: join(file, '..'), filename: 'bundle.mjs', library: { type: 'module' } },
          plugins: [webpackPlugin(options)],
        }
        webpack(settings, (error, stats) => {
          if (error !== null || stats === undefined) reject(error)
          else if (stats.hasErrors() || stats.hasWarnings()) reject(new Error(stats.toString()))
          else resolve()
        })
      }),
  },
}

/** Bundles an application, removes its sources, and runs it. Resolves to the hashes that it prints. */
async function printed(
  bundle: Bundle,
  folder: string,
  extension: string,
  options: CodeHashesOptions,
): Promise<string[]> {
  const file = join(folder, 'out/bundle.mjs')
  await bundle(join(folder, `main.${extension}`), file, options)
  expect(readFileSync(file, 'utf8')).not.toContain('esbuild')
  for (const name of ['main', 'steps', 'k', 'circle']) rmSync(join(folder, `${name}.${extension}`))
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder })
  return JSON.parse(stdout)
}

for (const [name, { extensions, bundle }] of Object.entries(bundlers)) {
  describe(`the plugin of ${name}`, () => {
    it.each(extensions)('writes the hashes of the sources into the bundle (%s)', async (extension) => {
      const folder = application(extension)
      const file = join(folder, `steps.${extension}`)
      const names = ['load', 'default']
      const hashes = await Promise.all(names.map(async (one) => (await hashExport({ file, name: one })).hash))
      expect(await printed(bundle, folder, extension, { include: /\/steps\.\w+$/ })).toEqual(hashes)
    })

    it('writes none into other files, and takes the depth', async () => {
      const folder = application('mjs')
      const near = await hashExport({ file: join(folder, 'steps.mjs'), name: 'load', depth: 0 })
      const [load] = await printed(bundle, folder, 'mjs', { include: /\/steps\.\w+$/g, depth: 0 })
      expect(load).toBe(near.hash)
      const [text] = await printed(bundle, application('mjs'), 'mjs', { include: /other/ })
      expect(text).toMatch(/^text:/)
    })
  })
}

describe('the plugins', () => {
  it.each([esbuildPlugin, rollupPlugin, webpackPlugin])('refuse wrong options (%o)', (plugin) => {
    expect(() => plugin({ include: 'steps' as never })).toThrow('include must be')
    expect(() => plugin({ include: /steps/, deep: 1 } as never)).toThrow("unknown option 'deep'")
  })
})
