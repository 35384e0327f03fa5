import { stat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { CacheError } from '@cache/core'
import { checkOptions, invalidArgument, nonEmptyString } from '@cache/core/backend'
import type { NodeFunction } from '../hashing/code-hash.ts'
import type { CodeHasher } from '../hashing/code-hasher.ts'
import { hashExport } from './hash-export.ts'

/** Options of `sourceCode`. */
export interface SourceCodeOptions {
  /** The URL of the calling module, `import.meta.url`, or an absolute path: the names of `modules` are relative to it. */
  readonly from: string
  /** The modules whose exports are functions of nodes, by their names in an import: `{ './steps.ts': steps }` after `import * as steps from './steps.ts'`. */
  readonly modules: Readonly<Record<string, object>>
  /** How many imports away code is followed. 0 is the module of the function alone. Default `Infinity`. */
  readonly depth?: number | undefined
  /** The path of a `tsconfig.json` with path aliases. Default: the nearest one of each file. */
  readonly tsconfig?: string | undefined
}

interface Exported {
  readonly file: string
  readonly name: string
}

/**
 * Hashes the code of exported functions and of everything that they use, at run time. Needs the source files, and `esbuild`. Throws
 * `INVALID_ARGUMENT`. A function that none of the modules exports is identified by its text.
 *
 * Its hashes reject with `UNSUPPORTED` without esbuild, and with `INVALID_ARGUMENT` for code that cannot be built, that imports a module by a computed name,
 * or whose file was changed since this call: the process still runs the code before the change.
 */
export function sourceCode(options: SourceCodeOptions): CodeHasher {
  checkOptions(options, ['from', 'modules', 'depth', 'tsconfig'], 'sourceCode')
  const { from, modules, depth = Number.POSITIVE_INFINITY, tsconfig } = options
  const base = baseUrl(from)
  if (typeof modules !== 'object' || modules === null)
    throw invalidArgument('modules', modules, "an object of modules: { './steps.ts': steps }", 'sourceCode')
  if (depth !== Number.POSITIVE_INFINITY && !(Number.isInteger(depth) && depth >= 0))
    throw invalidArgument('depth', depth, 'a whole number of 0 or more, or Infinity', 'sourceCode')
  if (tsconfig !== undefined) nonEmptyString(tsconfig, 'tsconfig', 'sourceCode')
  const files = Object.entries(modules).map(([name, module]) => {
    if (typeof module !== 'object' || module === null)
      throw invalidArgument(`modules['${name}']`, module, 'the exports of a module: import * as steps', 'sourceCode')
    return [fileURLToPath(new URL(name, base)), module as Readonly<Record<string, unknown>>] as const
  })
  // Instants of files may be rounded up to the next millisecond.
  const since = Date.now() + 1
  let exported: Map<unknown, Exported> | undefined
  return {
    async hashOf(fn: NodeFunction, node: string): Promise<string | undefined> {
      // Now, and not before: the modules may import the calling module in a circle.
      exported ??= exportsOf(files)
      const found = exported.get(fn)
      if (found === undefined) return undefined
      const { hash, files: read } = await hashExport({ ...found, depth, tsconfig })
      await checkUnchanged(read, since, node)
      return hash
    },
  }
}

function baseUrl(from: unknown): URL {
  const text = nonEmptyString(from, 'from', 'sourceCode')
  if (isAbsolute(text)) return pathToFileURL(text)
  if (!URL.canParse(text) || !text.startsWith('file:'))
    throw invalidArgument('from', from, 'import.meta.url, or an absolute path', 'sourceCode')
  return new URL(text)
}

/** The functions that modules export. Of several exports of one function, the first one counts. */
function exportsOf(files: readonly (readonly [string, Readonly<Record<string, unknown>>])[]): Map<unknown, Exported> {
  const exported = new Map<unknown, Exported>()
  for (const [file, module] of files) {
    for (const name of Object.keys(module)) {
      const value = module[name]
      if (typeof value === 'function' && !exported.has(value)) exported.set(value, { file, name })
    }
  }
  return exported
}

async function checkUnchanged(files: readonly string[], since: number, node: string): Promise<void> {
  const times = await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs))
  const changed = files.find((_, index) => (times[index] as number) > since)
  if (changed === undefined) return
  const message = `node '${node}': ${changed} was changed after the process had loaded it; restart the process, so that its results belong to the code on the disk`
  throw new CacheError('INVALID_ARGUMENT', message)
}
