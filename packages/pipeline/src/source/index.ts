/** Hashes of the source code of functions, for pipelines that run from their sources. Needs `esbuild`. */
export { type ExportRequest, type HashedExport, hashExport } from './hash-export.ts'
export { type SourceCodeOptions, sourceCode } from './source-code.ts'
