import type { TestProject } from 'vitest/node'
import { postgresServer } from './servers/postgres-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** One PostgreSQL server for all test files of the package. */
    postgresUrl: string
  }
}

/** A `globalSetup` of vitest: one PostgreSQL server per run, its URL under `inject('postgresUrl')`. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await postgresServer()
  project.provide('postgresUrl', server.url)
  return () => server.stop()
}
