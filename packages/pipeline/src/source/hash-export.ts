import { readFile, realpath } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { basename, dirname, extname, join } from 'node:path'
import { CacheError } from '@cache/core'
import type { BuildOptions, BuildResult, OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from 'esbuild'
import { hashText } from '../hashing/hash-text.ts'
import { loadEsbuild } from './load-esbuild.ts'
import { packageOf } from './package-name.ts'

/** An exported value whose code is hashed. */
export interface ExportRequest {
  /** The path of the module. */
  readonly file: string
  /** The name of the export; `default` for the default export. */
  readonly name: string
  /** How many imports away code may be. Default `Infinity`. */
  readonly depth?: number | undefined
  /** The path of a `tsconfig.json`. Default: the nearest one of each file. */
  readonly tsconfig?: string | undefined
}

export interface HashedExport {
  readonly hash: string
  /** The files that were read, for tools that watch them. */
  readonly files: readonly string[]
}

type Result = BuildResult<BuildOptions & { metafile: true; write: false }>

const codeExtensions = new Set(['.js', '.mjs', '.cjs', '.jsx', '.ts', '.mts', '.cts', '.tsx', '.json'])
/** Marks the inner call of a resolver. */
const inner = { inner: true }

/**
 * The hash of the code of an export: of all statements that it uses, in its module and in those that it imports, without comments, types and
 * unused exports. Packages and modules of the runtime count by name, packages also by their installed version. Rejects with `INVALID_ARGUMENT` when the code cannot
 * be built, or imports a module whose name is computed at run time.
 */
export async function hashExport(request: ExportRequest): Promise<HashedExport> {
  const { depth = Number.POSITIVE_INFINITY } = request
  // esbuild names files by their real paths.
  const file = await realpath(request.file).catch(() => request.file)
  const real = { ...request, file }
  const whole = await bundle(real, () => true)
  const files = Object.keys(whole.metafile.inputs)
    .filter((path) => path !== '<stdin>')
    .map((path) => join(dirname(file), path))
  const near = depth === Number.POSITIVE_INFINITY ? undefined : filesWithin(depth, whole, file)
  const result = near === undefined ? whole : await bundle(real, (path) => near.has(path))
  const text = result.outputFiles[0]?.text ?? ''
  if (hasComputedImport(text)) {
    const message = `the code of '${request.name}' in ${file} imports a module whose name is computed at run time, or uses createRequire, so its hash would not show changes of that module; write import() with a literal name, or give the node a version`
    throw new CacheError('INVALID_ARGUMENT', message)
  }
  return { hash: `source:${depth}:${hashText(text)}`, files }
}

/**
 * The names of the exports of a module, also of those that it takes from other modules of the application. Rejects with `INVALID_ARGUMENT` when the
 * code cannot be built.
 */
export async function exportNames({
  file,
  tsconfig,
}: Omit<ExportRequest, 'name' | 'depth'>): Promise<readonly string[]> {
  const real = await realpath(file).catch(() => file)
  const { metafile } = await built({ entryPoints: [real], outfile: 'exports.js' }, { file: real, tsconfig }, () => true)
  return Object.values(metafile.outputs)[0]?.exports ?? []
}

async function bundle({ file, name, tsconfig }: ExportRequest, isNear: (path: string) => boolean): Promise<Result> {
  const contents = `export { ${name} as value } from ${JSON.stringify(`./${basename(file)}`)}`
  const stdin = { contents, resolveDir: dirname(file), loader: 'js' } as const
  return await built({ stdin }, { file, tsconfig }, isNear)
}

async function built(
  entry: BuildOptions,
  { file, tsconfig }: Omit<ExportRequest, 'name' | 'depth'>,
  isNear: (path: string) => boolean,
): Promise<Result> {
  const { build } = await loadEsbuild()
  try {
    return await build({
      ...entry,
      // Names of files in the output are relative to it: the hash does not depend on the place of the application.
      absWorkingDir: dirname(file),
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      platform: 'node',
      target: 'esnext',
      charset: 'utf8',
      treeShaking: true,
      minifyWhitespace: true,
      legalComments: 'none',
      logLevel: 'silent',
      ...(tsconfig === undefined ? undefined : { tsconfig }),
      plugins: [graphPlugin(isNear)],
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CacheError('INVALID_ARGUMENT', `the code of ${file} cannot be built: ${reason}`, { cause })
  }
}

/** Follows the modules of the application, and replaces all others by their names. Files that are no code count by their bytes. */
function graphPlugin(isNear: (path: string) => boolean): Plugin {
  return {
    name: 'cache-pipeline-graph',
    setup(build) {
      build.onResolve({ filter: /.*/ }, (args) => resolveImport(build, args, isNear))
      build.onLoad({ filter: /.*/ }, ({ path, namespace }) =>
        namespace !== 'file' || codeExtensions.has(extname(path)) ? undefined : bytesOf(path),
      )
    },
  }
}

async function bytesOf(path: string): Promise<{ readonly contents: Uint8Array; readonly loader: 'binary' }> {
  return { contents: await readFile(path), loader: 'binary' }
}

async function resolveImport(
  build: PluginBuild,
  args: OnResolveArgs,
  isNear: (path: string) => boolean,
): Promise<OnResolveResult | undefined> {
  if (args.pluginData === inner || args.kind === 'entry-point') return undefined
  if (isBuiltin(args.path)) return outside(args.path)
  const { importer, resolveDir, kind, namespace } = args
  const found = await build.resolve(args.path, {
    importer,
    resolveDir,
    kind,
    namespace,
    with: args.with,
    pluginData: inner,
  })
  if (found.errors.length > 0) {
    // The application may catch the failure to load an optional package. The absence of a file of its own is an error.
    return args.path.startsWith('.') ? { errors: found.errors } : outside(`absent:${args.path}`)
  }
  if (found.external || found.namespace !== 'file') return outside(args.path)
  const owner = await packageOf(found.path)
  if (owner !== undefined) return outside(`${owner}:${args.path}`)
  if (!isNear(found.path)) return outside(`beyond:${args.path}`)
  return { path: found.path, sideEffects: found.sideEffects }
}

/** An import that stays one in the output, unless nothing uses it. */
function outside(path: string): OnResolveResult {
  return { path, external: true, sideEffects: false }
}

/** The files that are at most `depth` imports away. */
function filesWithin(depth: number, { metafile }: Result, file: string): Set<string> {
  const folder = dirname(file)
  let next = [basename(file)]
  const seen = new Set(next)
  for (let hops = 0; hops < depth && next.length > 0; hops += 1) {
    const imports = next.flatMap((path) => metafile.inputs[path]?.imports ?? [])
    next = [...new Set(imports.filter(({ external }) => external !== true).map(({ path }) => path))].filter(
      (path) => !seen.has(path),
    )
    for (const path of next) seen.add(path)
  }
  return new Set([...seen].map((path) => join(folder, path)))
}

/**
 * Whether the output has an `import()` or `require()` without a literal name, or a `require` of its own, whose calls are not followed. A text
 * with such a part counts too. `function __require(` is a helper of esbuild.
 */
function hasComputedImport(text: string): boolean {
  return /(?<![\w$.]|function )(?:(?:import|require|__require)\((?!["'])|createRequire\b)/.test(text)
}
