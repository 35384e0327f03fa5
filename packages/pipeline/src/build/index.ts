/** Plugins of bundlers that write the hashes of the code of nodes into a bundle. They need `esbuild`, the bundle does not. */
export type { CodeHashesOptions } from './code-table.ts'
export { type EsbuildLoaded, type EsbuildPlugin, type EsbuildPluginBuild, esbuildPlugin } from './esbuild-plugin.ts'
export { type RollupPlugin, type RollupPluginContext, rollupPlugin } from './rollup-plugin.ts'
export {
  type WebpackCompiler,
  type WebpackLoaderContext,
  type WebpackPlugin,
  type WebpackReadHooks,
  webpackPlugin,
} from './webpack-plugin.ts'
