import { execFile } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
}

interface EntryPoint {
  /** The specifier of an application, such as `@cache/core/backend`. */
  readonly specifier: string
  readonly url: string
  /** The entry files of the dependencies from outside of the workspace. */
  readonly dependencies: readonly string[]
}

interface Report {
  /** Changes without an import, which show that the probe itself is quiet. */
  readonly untouched: readonly string[]
  readonly changed: readonly string[]
}

const root = join(import.meta.dirname, '../..')
const probe = join(import.meta.dirname, 'import-probe.ts')

/** The entry points of every public package, from its `exports`. */
const entryPoints = globSync('packages/*/package.json', { cwd: root })
  .sort()
  .flatMap((file) => entryPointsOf(join(root, file)))

function entryPointsOf(file: string): EntryPoint[] {
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest
  if (manifest.private === true) return []
  const names = Object.entries(manifest.dependencies ?? {})
    .filter(([, range]) => !range.startsWith('workspace:'))
    .map(([name]) => name)
  const dependencies = names.map((name) => resolveFrom(file, name))
  return Object.entries(manifest.exports ?? {}).map(([path, source]) => ({
    specifier: join(manifest.name, path),
    url: pathToFileURL(join(dirname(file), source)).href,
    dependencies,
  }))
}

/** The entry file that an `import` of the dependency finds in the package. */
function resolveFrom(file: string, name: string): string {
  const folder = join(dirname(file), 'node_modules', name)
  const { exports, module, main } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    exports?: unknown
    module?: string
    main?: string
  }
  const path = importCondition(exports) ?? main ?? module ?? 'index.js'
  const found = [path, `${path}.js`, join(path, 'index.js')].map((one) => join(folder, one)).find(existsSync)
  if (found === undefined) throw new Error(`${name} has no entry file ${path}`)
  return pathToFileURL(found).href
}

/** The file of the first condition that holds for an `import` in Node. */
function importCondition(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports
  if (exports === null || typeof exports !== 'object') return undefined
  for (const [condition, target] of Object.entries(exports)) {
    if (!['.', 'node', 'import', 'default'].includes(condition)) continue
    const path = importCondition(target)
    if (path !== undefined) return path
  }
  return undefined
}

async function importIn(entry: string, dependencies: readonly string[] = []): Promise<Report> {
  const argv = ['--no-warnings', probe, entry, ...dependencies]
  const { stdout } = await promisify(execFile)(process.execPath, argv, { maxBuffer: 2 ** 26 })
  return JSON.parse(stdout) as Report
}

function dataUrl(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`
}

describe('an import of an entry point', () => {
  it('the list of entry points has every package', () => {
    const specifiers = entryPoints.map(({ specifier }) => specifier)
    for (const specifier of ['@cache/core', '@cache/core/backend', '@cache/core/conformance', '@cache/file/queue']) {
      expect(specifiers).toContain(specifier)
    }
    expect(specifiers.length).toBeGreaterThanOrEqual(18)
  })

  it.each(entryPoints)('$specifier changes nothing in the process', async ({ url }) => {
    const { untouched, changed } = await importIn(url)
    expect(untouched).toEqual([])
    expect(changed).toEqual([])
  })

  it.each(entryPoints.filter(({ dependencies }) => dependencies.length > 0))(
    '$specifier changes nothing in the modules of third parties that it uses',
    async ({ url, dependencies }) => {
      const { untouched, changed } = await importIn(url, dependencies)
      expect(untouched).toEqual([])
      expect(changed).toEqual([])
    },
  )
})

describe('the probe', () => {
  it.each([
    ['a global', 'globalThis.added = 1', 'added: globalThis.added'],
    ['a prototype', 'Array.prototype.last = () => {}', 'added: globalThis.Array.prototype.last'],
    ['a method of a prototype', 'Map.prototype.get = () => {}', 'changed: globalThis.Map.prototype.get'],
    [
      'a getter',
      "Object.defineProperty(Object.prototype, 'x', { get() {}, configurable: true })",
      'Object.prototype.x',
    ],
    ['a hidden prototype', 'Object.getPrototypeOf([].values()).x = 1', 'added: array iterator prototype.x'],
    ['a frozen object', 'Object.freeze(Math)', 'changed: globalThis.Math (extensible)'],
    ['a module of Node', "(await import('node:fs')).default.readFileSync = 1", 'changed: node:fs.readFileSync'],
    ['a prototype of a module', "(await import('node:events')).default.prototype.x = 1", '(prototype).x'],
    ['a default', "(await import('node:events')).default.defaultMaxListeners = 99", 'defaultMaxListeners'],
    ['a listener', "process.on('exit', () => {})", 'added: process.on exit 0'],
    ['the environment', "process.env.ADDED = '1'", 'added: process.env.ADDED'],
    ['a timer', 'setInterval(() => {}, 1000)', 'changed: resources'],
    ['a limit of stack traces', 'Error.stackTraceLimit = 99', 'changed: globalThis.Error.stackTraceLimit'],
  ])('finds a change of %s', async (_, code, expected) => {
    const { changed } = await importIn(
      dataUrl(`${code}\nif (${code.includes('setInterval')}) setTimeout(() => process.exit(), 3000).unref()`),
    )
    expect(changed.join('\n')).toContain(expected)
  })

  it('finds a change in a module of a third party', async () => {
    const postgres = entryPoints.find(({ specifier }) => specifier === '@cache/postgres')
    const [pg = ''] = postgres?.dependencies ?? []
    const parsing = `import pg from '${pg}'\npg.defaults.rows = 1`
    expect((await importIn(dataUrl(parsing), [pg])).changed.join('\n')).toContain('defaults.rows')
  })
})
