// Bundles one application with each bundler, for Node and for browsers, and runs each bundle in another folder.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import * as esbuild from 'esbuild'
import { build as rolldown } from 'rolldown'
import * as vite from 'vite'
import webpack from 'webpack'

const run = promisify(execFile)
const folder = await mkdtemp(join(tmpdir(), 'cache-bundled-'))

/** Runs a script as a browser does: without `require` and `process`. */
async function runInBrowser(file) {
  const code = await readFile(file, 'utf8')
  const { promise, resolve: finished, reject } = Promise.withResolvers()
  const globals = {
    crypto,
    performance,
    queueMicrotask,
    AbortController,
    AbortSignal,
    setTimeout: () => 1,
    clearTimeout() {},
  }
  process.once('unhandledRejection', reject)
  runInContext(code, createContext({ ...globals, finished }))
  await promise
}

async function runInNode(file) {
  await run(process.execPath, [file], { cwd: folder })
}

function withWebpack(file, target, entry = './main.js') {
  const { promise, resolve, reject } = Promise.withResolvers()
  const output = { path: folder, filename: file, chunkFormat: false }
  webpack({ entry, mode: 'production', target, output }, (error, stats) => {
    if (error || stats.hasErrors() || stats.hasWarnings()) reject(error ?? new Error(stats.toString()))
    else resolve()
  })
  return promise
}

const builds = {
  'esbuild for Node, CommonJS': async () => {
    await esbuild.build({ entryPoints: ['main.js'], bundle: true, platform: 'node', outfile: join(folder, 'a.cjs') })
    await runInNode('a.cjs')
  },
  'esbuild for Node, ES modules': async () => {
    const outfile = join(folder, 'b.mjs')
    await esbuild.build({ entryPoints: ['main.js'], bundle: true, platform: 'node', format: 'esm', outfile })
    await runInNode('b.mjs')
  },
  'esbuild for browsers': async () => {
    await esbuild.build({ entryPoints: ['main.js'], bundle: true, minify: true, outfile: join(folder, 'c.js') })
    await runInBrowser(join(folder, 'c.js'))
  },
  'rolldown for Node': async () => {
    await rolldown({ input: 'main.js', platform: 'node', output: { file: join(folder, 'd.mjs') }, logLevel: 'silent' })
    await runInNode('d.mjs')
  },
  'rolldown for browsers': async () => {
    await rolldown({
      input: 'main.js',
      platform: 'browser',
      output: { file: join(folder, 'e.js'), format: 'iife' },
      logLevel: 'silent',
    })
    await runInBrowser(join(folder, 'e.js'))
  },
  'webpack for Node': async () => {
    await withWebpack('f.cjs', 'node')
    await runInNode('f.cjs')
  },
  'webpack for browsers': async () => {
    await withWebpack('g.js', 'web')
    await runInBrowser(join(folder, 'g.js'))
  },
  'Vite for browsers': async () => {
    const lib = { entry: 'main.js', formats: ['iife'], name: 'main', fileName: () => 'h.js' }
    const build = { lib, outDir: folder, emptyOutDir: false }
    await vite.build({
      configFile: false,
      logLevel: 'error',
      build,
      define: { 'process.env.NODE_ENV': '"production"' },
    })
    await runInBrowser(join(folder, 'h.js'))
  },
  'Vite SSR, packages inside': async () => {
    const build = {
      ssr: 'main.js',
      outDir: join(folder, 'i'),
      emptyOutDir: false,
      rollupOptions: { output: { entryFileNames: 'i.mjs' } },
    }
    await vite.build({ configFile: false, logLevel: 'error', build, ssr: { noExternal: true } })
    await runInNode('i/i.mjs')
  },
  'Vite SSR, packages outside': async () => {
    const build = { ssr: 'main.js', outDir: 'out', rollupOptions: { output: { entryFileNames: 'j.mjs' } } }
    await vite.build({ configFile: false, logLevel: 'error', build })
    await run(process.execPath, ['out/j.mjs'])
  },
  'esbuild for Node, CommonJS, files': async () => {
    await esbuild.build({ entryPoints: ['files.js'], bundle: true, platform: 'node', outfile: join(folder, 'k.cjs') })
    await runInNode('k.cjs')
  },
  'esbuild for Node, ES modules, files': async () => {
    const outfile = join(folder, 'l.mjs')
    await esbuild.build({ entryPoints: ['files.js'], bundle: true, platform: 'node', format: 'esm', outfile })
    await runInNode('l.mjs')
  },
  'rolldown for Node, files': async () => {
    await rolldown({ input: 'files.js', platform: 'node', output: { file: join(folder, 'm.mjs') }, logLevel: 'silent' })
    await runInNode('m.mjs')
  },
  'webpack for Node, files': async () => {
    await withWebpack('n.cjs', 'node', './files.js')
    await runInNode('n.cjs')
  },
}

try {
  for (const [name, build] of Object.entries(builds)) {
    await build().catch((cause) => {
      throw new Error(name, { cause })
    })
  }
} finally {
  await rm(folder, { recursive: true })
}
