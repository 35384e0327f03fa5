import { readFile } from 'node:fs/promises'
import { basename, dirname, extname } from 'node:path'
import { type CodeHashesOptions, checkCodeHashesOptions, codeTable, isIncluded } from './code-table.ts'
import { sourceEntry, sourceStub } from './source-stub.ts'

/** The part of esbuild's interface for plugins that the plugin needs. */
export interface EsbuildPluginBuild {
  onResolve(
    options: { readonly filter: RegExp },
    callback: (args: { readonly path: string }) => { readonly path: string; readonly namespace: string },
  ): void
  onLoad(
    options: { readonly filter: RegExp; readonly namespace?: string },
    callback: (args: { readonly path: string }) => Promise<EsbuildLoaded | undefined> | EsbuildLoaded,
  ): void
}

export interface EsbuildLoaded {
  readonly contents: string
  readonly loader: 'js' | 'jsx' | 'ts' | 'tsx'
  readonly resolveDir?: string
  readonly watchFiles?: string[]
}

/** A plugin of esbuild. */
export interface EsbuildPlugin {
  readonly name: string
  setup(build: EsbuildPluginBuild): void
}

const loaders: Readonly<Record<string, EsbuildLoaded['loader']>> = {
  '.js': 'js',
  '.mjs': 'js',
  '.jsx': 'jsx',
  '.ts': 'ts',
  '.mts': 'ts',
  '.tsx': 'tsx',
}
const namespace = 'cache-pipeline'

/** A plugin of esbuild that writes the hashes of code into the bundle. Throws `INVALID_ARGUMENT`. */
export function esbuildPlugin(options: CodeHashesOptions): EsbuildPlugin {
  checkCodeHashesOptions(options, 'esbuildPlugin')
  return {
    name: '@cache/pipeline',
    setup(build) {
      build.onResolve({ filter: new RegExp(`^${sourceEntry}$`) }, ({ path }) => ({ path, namespace }))
      build.onLoad({ filter: /.*/, namespace }, () => ({ contents: sourceStub, loader: 'js' }))
      build.onLoad({ filter: /\.(?:[mc]?[jt]s|[jt]sx)$/ }, async ({ path }) => {
        const loader = loaders[extname(path)]
        if (loader === undefined || !isIncluded(options, path)) return undefined
        const { code, files } = await codeTable(path, `./${basename(path)}`, options)
        const contents = (await readFile(path, 'utf8')) + code
        return { contents, loader, resolveDir: dirname(path), watchFiles: [...files] }
      })
    },
  }
}
