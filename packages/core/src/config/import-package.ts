import { CacheError, cacheErrorCode } from '../protocol/cache-error.ts'
import type { OpenOptions } from './cache-config.ts'

type Module = Readonly<Record<string, unknown>>

interface Require {
  (name: string): unknown
  resolve(name: string): string
}

interface NodeProcess {
  readonly argv?: readonly string[]
  cwd?(): string
  getBuiltinModule?(name: string): unknown
}

/** Imports packages that the application has installed. */
export class PackageImports {
  readonly #given: OpenOptions['import']
  /** Files whose packages are searched. A codec is a dependency of its backend, not of the application. */
  readonly #parents: string[]

  constructor({ import: given }: OpenOptions) {
    this.#given = given
    this.#parents = applicationFiles()
  }

  /** The exports of the package. `reason` begins the message when it is missing. */
  async load(name: string, reason: string): Promise<Module> {
    try {
      return (await (this.#given === undefined ? this.#find(name) : this.#given(name))) as Module
    } catch (error) {
      if (cacheErrorCode(error) !== undefined || !isMissing(error, name)) throw error
      throw new CacheError('INVALID_ARGUMENT', `${reason}, which needs the package ${name}: npm install ${name}`, {
        operation: 'openCache',
        cause: error,
      })
    }
  }

  async #find(name: string): Promise<unknown> {
    for (const parent of this.#parents) {
      const require = requireOf(parent)
      const file = require === undefined ? undefined : resolved(require, name)
      if (require === undefined || file === undefined) continue
      if (!this.#parents.includes(file)) this.#parents.push(file)
      try {
        // Gives the same module as an import does, and also works where the loader of a test runner cannot import.
        return require(name)
      } catch (error) {
        const code = codeOf(error)
        if (code !== 'ERR_REQUIRE_ASYNC_MODULE' && code !== 'ERR_REQUIRE_ESM') throw error
        return await import(fileUrl(file))
      }
    }
    // A package for imports alone, or a runtime without `node:module`.
    return await import(name)
  }
}

function nodeProcess(): NodeProcess | undefined {
  return (globalThis as { readonly process?: NodeProcess }).process
}

/** The main file of the process, and a file of the working directory. */
function applicationFiles(): string[] {
  const process = nodeProcess()
  const main = process?.argv?.[1]
  const directory = process?.cwd?.()
  return [...(main === undefined ? [] : [main]), ...(directory === undefined ? [] : [`${directory}/package.json`])]
}

function requireOf(parent: string): Require | undefined {
  const module = nodeProcess()?.getBuiltinModule?.('node:module') as
    | { createRequire?(file: string): Require }
    | undefined
  try {
    return module?.createRequire?.(parent)
  } catch {
    // The main file may be no path, as in a REPL.
    return undefined
  }
}

function fileUrl(file: string): string {
  const url = nodeProcess()?.getBuiltinModule?.('node:url') as { pathToFileURL(file: string): URL }
  return url.pathToFileURL(file).href
}

function resolved(require: Require, name: string): string | undefined {
  try {
    return require.resolve(name)
  } catch {
    return undefined
  }
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code
}

/** Whether this package itself was not found, rather than a package that it imports. */
function isMissing(error: unknown, name: string): boolean {
  const code = codeOf(error)
  const message = String((error as { readonly message?: unknown } | null)?.message)
  const isNotFound =
    code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND' || /Failed to load|Cannot find/.test(message)
  return isNotFound && message.includes(`'${name}'`)
}
