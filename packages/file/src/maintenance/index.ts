/** Checks, dumps and other work on the directory of a `FileBackend` that its application starts. */
export { type CheckOptions, type CheckReport, check, type Problem } from './check.ts'
export { evictToLimits } from './evict-to-limits.ts'
export { exportTo } from './export-to.ts'
export { flush } from './flush.ts'
export { importFrom } from './import-from.ts'
export { importKeyvFile, type KeyvImportOptions } from './import-keyv-file.ts'
export type { ImportFailure, ImportReport } from './item-import.ts'
export { volume } from './volume.ts'
