export { PostgresBus } from './bus/postgres-bus.ts'
export type { ConnectionOptions, PostgresBackendOptions, PostgresBusOptions } from './options.ts'
export { PostgresBackend } from './postgres-backend.ts'
export { migrationSql, type SchemaOptions } from './table/schema.ts'
