export type { ConnectionOptions, PostgresBackendOptions } from './options.ts'
export { PostgresBackend } from './postgres-backend.ts'
export { migrationSql, type SchemaOptions } from './schema.ts'
