import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { type CodeHashesOptions, checkCodeHashesOptions, codeTable, isIncluded } from './code-table.ts'
import { sourceEntry, sourceStub } from './source-stub.ts'

/** The part of webpack's interface for plugins that the plugin needs. */
export interface WebpackCompiler {
  readonly webpack: {
    readonly NormalModule: { getCompilationHooks(compilation: object): { readonly readResource: WebpackReadHooks } }
    readonly NormalModuleReplacementPlugin: new (
      pattern: RegExp,
      replacement: string,
    ) => { apply(compiler: object): void }
  }
  readonly hooks: {
    readonly compilation: { tap(name: string, callback: (compilation: object) => void): void }
  }
}

export interface WebpackReadHooks {
  for(scheme: string | undefined): {
    tapPromise(name: string, read: (context: WebpackLoaderContext) => Promise<string | null>): void
  }
}

export interface WebpackLoaderContext {
  readonly resourcePath: string
  addDependency(file: string): void
}

/** A plugin of webpack. */
export interface WebpackPlugin {
  apply(compiler: WebpackCompiler): void
}

const name = '@cache/pipeline'

/** A plugin of webpack that writes the hashes of code into the bundle. Throws `INVALID_ARGUMENT`. */
export function webpackPlugin(options: CodeHashesOptions): WebpackPlugin {
  checkCodeHashesOptions(options, 'webpackPlugin')
  const read = async (context: WebpackLoaderContext): Promise<string> => {
    const file = context.resourcePath
    // webpack reads the file itself when a hook has no result. Its types do not show that.
    if (!isIncluded(options, file)) return undefined as never
    const { code, files } = await codeTable(file, `./${basename(file)}`, options)
    for (const one of files) context.addDependency(one)
    return (await readFile(file, 'utf8')) + code
  }
  return {
    apply(compiler) {
      const { NormalModule, NormalModuleReplacementPlugin } = compiler.webpack
      const data = `data:text/javascript,${encodeURIComponent(sourceStub)}`
      new NormalModuleReplacementPlugin(new RegExp(`^${sourceEntry}$`), data).apply(compiler)
      compiler.hooks.compilation.tap(name, (compilation) => {
        // Files have no scheme.
        NormalModule.getCompilationHooks(compilation).readResource.for(undefined).tapPromise(name, read)
      })
    },
  }
}
