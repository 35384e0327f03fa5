import type { TestProject } from 'vitest/node'
import { redisServer } from './servers/redis-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** One Redis server for all test files of the package. */
    redisUrl: string
  }
}

/** A `globalSetup` of vitest: one Redis server per run, its URL under `inject('redisUrl')`. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await redisServer()
  project.provide('redisUrl', server.url)
  return () => server.stop()
}
