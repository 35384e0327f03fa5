export type { ShardedOptions } from './options.ts'
export { ShardedBackend } from './sharded-backend.ts'
