/** A persistent cache backend in a directory. */
export { FileBackend } from './file-backend.ts'
export type { EvictionPolicy } from './index/schema.ts'
export type { Engine } from './index/sqlite.ts'
export type { Durability, FileBackendOptions } from './options.ts'
