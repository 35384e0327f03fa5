import { checkOptions, invalidArgument } from '@cache/core/backend'
import { exportNames, hashExport } from '../source/hash-export.ts'

/** Options of the plugins. */
export interface CodeHashesOptions {
  /** The files whose exports are functions of nodes: a pattern that the path of the file, with `/`, matches. */
  readonly include: RegExp
  /** How many imports away code is followed, as in `sourceCode`. Default `Infinity`. */
  readonly depth?: number | undefined
  /** The path of a `tsconfig.json` with path aliases. Default: the nearest one of each file. */
  readonly tsconfig?: string | undefined
}

/** What a plugin writes behind the code of a module. */
export interface CodeTable {
  /** Statements without types, which are valid in every module. */
  readonly code: string
  /** The files that the hashes depend on, for tools that watch them. */
  readonly files: readonly string[]
}

/** Throws `INVALID_ARGUMENT`. */
export function checkCodeHashesOptions(options: CodeHashesOptions, operation: string): void {
  checkOptions(options, ['include', 'depth', 'tsconfig'], operation)
  const { include } = options
  if (Object.prototype.toString.call(include) !== '[object RegExp]')
    throw invalidArgument('include', include, 'a regular expression for the paths of files', operation)
}

/** Whether a plugin writes hashes into a file. */
export function isIncluded({ include }: CodeHashesOptions, file: string): boolean {
  // A pattern with the flag `g` would begin where its last match ended.
  return new RegExp(include.source, include.flags.replace('g', '')).test(file.replaceAll('\\', '/'))
}

/**
 * The statements that tell the hashes of the exports of a module. `self` is the name by which the module imports itself. Values that are no
 * functions have hashes too: only the running program knows which exports are functions.
 */
export async function codeTable(file: string, self: string, options: CodeHashesOptions): Promise<CodeTable> {
  const { depth, tsconfig } = options
  const names = await exportNames({ file, tsconfig })
  if (names.length === 0) return { code: '', files: [file] }
  const hashed = await Promise.all(names.map((name) => hashExport({ file, name, depth, tsconfig })))
  const hashes = Object.fromEntries(names.map((name, index) => [name, hashed[index]?.hash]))
  const code = `
import { registerCode as cachePipelineRegisterCode } from '@cache/pipeline'
import * as cachePipelineModule from ${JSON.stringify(self)}
cachePipelineRegisterCode(cachePipelineModule, ${JSON.stringify(hashes)})
`
  return { code, files: [...new Set([file, ...hashed.flatMap(({ files }) => files)])] }
}
