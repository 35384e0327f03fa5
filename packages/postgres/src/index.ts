export type { ConnectionOptions, PostgresBackendOptions, PostgresBusOptions } from './options.ts'
export { PostgresBackend } from './postgres-backend.ts'
export { PostgresBus } from './postgres-bus.ts'
export { migrationSql, type SchemaOptions } from './schema.ts'
