export { FileBackend } from './file-backend.ts'
export type { Durability, FileBackendOptions } from './options.ts'
export type { EvictionPolicy } from './schema.ts'
export type { Engine } from './sqlite.ts'
