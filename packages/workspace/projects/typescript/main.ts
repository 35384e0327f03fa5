import { ItemFormat } from '@cache/codecs'
import { Cache, CacheError, type CacheOptions } from '@cache/core'
import { milliseconds } from '@cache/core/backend'
import { conformance } from '@cache/core/conformance'
import { prometheusText } from '@cache/core/metrics'
import { FileBackend } from '@cache/file'
import { check } from '@cache/file/maintenance'
import { LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { simulatePolicies } from '@cache/memory/simulate'
import { input, pipeline } from '@cache/pipeline'
import { PostgresBackend } from '@cache/postgres'
import { RedisBackend } from '@cache/redis'
import { ResilientBackend } from '@cache/resilient'
import { ShardedBackend } from '@cache/sharded'

interface User {
  readonly name: string
}

const load = async (): Promise<User> => ({ name: 'Ada' })
const options: CacheOptions = { backend: new MemoryBackend({ maxEntries: 100 }), ttl: '1m' }

async function main(): Promise<void> {
  const cache = new Cache<User>(options)
  const user: User = await cache.getOrSet('key', load)
  const error: unknown = await cache.get(42 as unknown as string).catch((reason: unknown) => reason)
  if (user.name !== 'Ada' || !(error instanceof CacheError)) throw new Error('the cache does not work')
  const code: string = error.code
  const ms: number = milliseconds('1s', 'ttl', 'main')
  if (code !== 'INVALID_ARGUMENT' || ms !== 1000) throw new Error('the errors or times are wrong')
  const p = pipeline({ name: 'main', cache: new Cache(options), inputs: { n: input<number>() } })
  const one = p.node('one', { version: '1' }, ({ n }) => n + 1)
  const two = p.node('two', { version: '1', deps: { one } }, ({ one }) => `${one}`)
  const text: string = (await p.run(two, { n: 1 })).value
  if (text !== '2') throw new Error('the pipeline does not work')
}

export const others: readonly unknown[] = [
  FileBackend,
  ItemFormat,
  LayeredBackend,
  PostgresBackend,
  RedisBackend,
  ResilientBackend,
  ShardedBackend,
  check,
  conformance,
  prometheusText,
  simulatePolicies,
]

void main()
