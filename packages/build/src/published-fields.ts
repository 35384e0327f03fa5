import { type EntryPoint, entryPoints } from './entry-points.ts'
import type { Manifest } from './manifest.ts'

/** One condition of `exports`. */
interface Target {
  readonly types: string
  readonly default: string
}

type Conditions = Readonly<Record<'module-sync' | 'module' | 'import' | 'bun' | 'require', Target>>

/** The fields that replace those of the workspace when a package is packed. */
export interface PublishedFields {
  readonly main: string
  readonly types: string
  readonly typesVersions?: Readonly<Record<'*', Readonly<Record<string, readonly string[]>>>>
  readonly exports: Readonly<Record<string, Conditions>>
}

/**
 * The order of conditions decides:
 * - `module-sync` gives Node the ES module for `import` and for `require`, so one process has one copy of each class;
 * - `module` gives bundlers the ES module for both, for the same reason, and `bun` gives it to Bun;
 * - `require` is for Jest and for TypeScript that compiles to CommonJS.
 */
function conditions({ name }: EntryPoint): Conditions {
  const esm: Target = { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }
  const cjs: Target = { types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` }
  return { 'module-sync': esm, module: esm, import: esm, bun: esm, require: cjs }
}

/** `main`, `types` and `typesVersions` are for TypeScript with `moduleResolution: node10`, which does not read `exports`. */
export function publishedFields(manifest: Manifest): PublishedFields {
  const all = entryPoints(manifest)
  const subpaths = all.filter(({ subpath }) => subpath !== '.')
  const types = subpaths.map(({ subpath, name }) => [subpath.slice('./'.length), [`./dist/${name}.d.cts`]] as const)
  return {
    main: './dist/index.cjs',
    types: './dist/index.d.cts',
    ...(types.length > 0 && { typesVersions: { '*': Object.fromEntries(types) } }),
    exports: Object.fromEntries(all.map((one) => [one.subpath, conditions(one)])),
  }
}

/** `publishConfig` as it must be: public and with provenance, members that the build knows nothing about, and the fields above. */
export function publishConfig(manifest: Manifest): Record<string, unknown> {
  const { access, provenance, main, types, typesVersions, exports, ...rest } = manifest.publishConfig ?? {}
  return { access: 'public', provenance: true, ...rest, ...publishedFields(manifest) }
}
