import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { afterEach } from 'vitest'
import { RedisBackend, type RedisBackendOptions } from '../src/index.ts'

const ends: (() => unknown)[] = []
let count = 0

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Closes a resource after the test. The last opened one is closed first. */
export function closeAfterTest<Ending extends { stop(): unknown } | { close(): unknown } | { disconnect(): unknown }>(
  made: Ending,
): Ending {
  if ('stop' in made) ends.push(() => made.stop())
  else if ('close' in made) ends.push(() => made.close())
  else ends.push(() => made.disconnect())
  return made
}

export function openBackend(options: RedisBackendOptions): RedisBackend {
  return closeAfterTest(new RedisBackend(options))
}

/** A plain client, which reads and changes the data of a backend. */
export function openRedis(url: string, options: RedisOptions = {}): Redis {
  const client = closeAfterTest(new Redis(url, options as RedisOptions & { replyMapping: 'legacy' }))
  client.on('error', () => {})
  return client
}

export function openCluster(nodes: { host: string; port: number }[]): Cluster {
  const client = closeAfterTest(new Cluster(nodes))
  client.on('error', () => {})
  return client
}

/** A prefix that no other test uses. */
export function ownPrefix(): string {
  return `test:${process.pid}:${++count}:`
}
