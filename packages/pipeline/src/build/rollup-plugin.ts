import { basename } from 'node:path'
import { type CodeHashesOptions, checkCodeHashesOptions, codeTable, isIncluded } from './code-table.ts'
import { sourceEntry, sourceStub } from './source-stub.ts'

/** The part of the context of a Rollup plugin that the plugin needs. */
export interface RollupPluginContext {
  addWatchFile(file: string): void
}

/** A plugin of Rollup, Rolldown and Vite. */
export interface RollupPlugin {
  readonly name: string
  /** Before other plugins, which may resolve the stub's name or expect code without types. */
  readonly enforce: 'pre'
  resolveId(source: string): string | undefined
  load(id: string): string | undefined
  transform(
    this: RollupPluginContext,
    code: string,
    id: string,
  ): Promise<{ readonly code: string; readonly map: null } | undefined>
}

const stub = '\0@cache/pipeline/source'

/** A plugin of Rollup, Rolldown and Vite that writes the hashes of code into the bundle. Throws `INVALID_ARGUMENT`. */
export function rollupPlugin(options: CodeHashesOptions): RollupPlugin {
  checkCodeHashesOptions(options, 'rollupPlugin')
  return {
    name: '@cache/pipeline',
    enforce: 'pre',
    resolveId: (source) => (source === sourceEntry ? stub : undefined),
    load: (id) => (id === stub ? sourceStub : undefined),
    async transform(text, id) {
      const [file = ''] = id.split('?')
      if (id.startsWith('\0') || !isIncluded(options, file)) return undefined
      const { code, files } = await codeTable(file, `./${basename(file)}`, options)
      for (const one of files) this.addWatchFile(one)
      // Statements behind the code move no line of it, so its source map stays right.
      return { code: text + code, map: null }
    },
  }
}
