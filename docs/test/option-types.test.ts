import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type * as codecs from '@cache/codecs'
import type * as core from '@cache/core'
import type * as kit from '@cache/core/backend'
import type * as config from '@cache/core/config'
import type * as inspection from '@cache/core/inspect'
import type * as file from '@cache/file'
import type * as maintenance from '@cache/file/maintenance'
import type * as queue from '@cache/file/queue'
import type * as transactions from '@cache/file/transactions'
import type * as http from '@cache/http'
import type * as fastify from '@cache/http/fastify'
import type * as hono from '@cache/http/hono'
import type * as undici from '@cache/http/undici'
import type * as layered from '@cache/layered'
import type * as memory from '@cache/memory'
import type * as simulate from '@cache/memory/simulate'
import type * as next from '@cache/next'
import type * as pipeline from '@cache/pipeline'
import type * as build from '@cache/pipeline/build'
import type * as source from '@cache/pipeline/source'
import type * as postgres from '@cache/postgres'
import type * as redis from '@cache/redis'
import type * as resilient from '@cache/resilient'
import type * as sharded from '@cache/sharded'
import type * as testing from '@cache/testing'
import { expect, it } from 'vitest'

/** The optional members of a type that refuse `undefined` under `exactOptionalPropertyTypes`. */
type Refusing<T> = T extends unknown
  ? {
      [K in keyof T]-?: object extends Pick<T, K> ? (Record<K, undefined> extends Pick<T, K> ? never : K) : never
    }[keyof T]
  : never

/** Does not compile for a type with such a member. */
type Accepts<T extends never> = T

// @ts-expect-error: the check finds a member that refuses `undefined`.
export type RefusesUndefined = Accepts<Refusing<{ readonly member?: number }>>

/** Every type of options that a package exports. */
export type AcceptUndefined = [
  Accepts<Refusing<core.BoundedCountOptions>>,
  Accepts<Refusing<core.CacheOptions>>,
  Accepts<Refusing<core.CommonCacheOptions>>,
  Accepts<Refusing<core.CountOptions>>,
  Accepts<Refusing<core.ExpireOptions>>,
  Accepts<Refusing<core.GetOrSetOptions>>,
  Accepts<Refusing<core.HealthOptions>>,
  Accepts<Refusing<core.LifetimeOptions>>,
  Accepts<Refusing<core.LoadingOptions>>,
  Accepts<Refusing<core.LockOptions>>,
  Accepts<Refusing<core.RateLimitOptions>>,
  Accepts<Refusing<core.ReadOptions>>,
  Accepts<Refusing<core.ReplaceOptions>>,
  Accepts<Refusing<core.SyncCacheOptions>>,
  Accepts<Refusing<core.SyncGetOrSetOptions>>,
  Accepts<Refusing<core.SyncWrapOptions<[]>>>,
  Accepts<Refusing<core.WrapOptions<[]>>>,
  Accepts<Refusing<core.WriteBehindOptions>>,
  Accepts<Refusing<core.WriteOptions>>,
  Accepts<Refusing<inspection.InspectOptions>>,
  Accepts<Refusing<inspection.PageOptions>>,
  Accepts<Refusing<kit.CanonicalTextOptions>>,
  Accepts<Refusing<config.OpenOptions>>,
  Accepts<Refusing<codecs.CompressionOptions>>,
  Accepts<Refusing<codecs.EncryptionOptions>>,
  Accepts<Refusing<codecs.ItemFormatOptions>>,
  Accepts<Refusing<file.FileBackendOptions>>,
  Accepts<Refusing<maintenance.CheckOptions>>,
  Accepts<Refusing<maintenance.KeyvImportOptions>>,
  Accepts<Refusing<queue.PullOptions>>,
  Accepts<Refusing<queue.PushOptions>>,
  Accepts<Refusing<transactions.TransactOptions>>,
  Accepts<Refusing<http.HttpCacheOptions>>,
  Accepts<Refusing<fastify.FastifyCacheOptions>>,
  Accepts<Refusing<hono.HonoCacheOptions>>,
  Accepts<Refusing<undici.UndiciStoreOptions>>,
  Accepts<Refusing<layered.LayeredOptions>>,
  Accepts<Refusing<layered.RecoveryOptions>>,
  Accepts<Refusing<memory.BoundedMapOptions<string, number>>>,
  Accepts<Refusing<memory.MemoryBackendOptions>>,
  Accepts<Refusing<simulate.SimulationOptions>>,
  Accepts<Refusing<next.NextCacheOptions>>,
  Accepts<Refusing<pipeline.CollectOptions>>,
  Accepts<Refusing<pipeline.ExplainOptions>>,
  Accepts<Refusing<pipeline.MapOptions<unknown, never, pipeline.Dependencies>>>,
  Accepts<Refusing<pipeline.NodeOptions<pipeline.Dependencies>>>,
  Accepts<Refusing<pipeline.PipelineOptions<unknown, pipeline.InputDeclarations>>>,
  Accepts<Refusing<pipeline.RunOptions>>,
  Accepts<Refusing<pipeline.StepOptions>>,
  Accepts<Refusing<build.CodeHashesOptions>>,
  Accepts<Refusing<source.SourceCodeOptions>>,
  Accepts<Refusing<postgres.ConnectionOptions>>,
  Accepts<Refusing<postgres.PgClientOptions>>,
  Accepts<Refusing<postgres.PostgresBackendOptions>>,
  Accepts<Refusing<postgres.PostgresBusOptions>>,
  Accepts<Refusing<postgres.SchemaOptions>>,
  Accepts<Refusing<redis.RedisBackendOptions>>,
  Accepts<Refusing<redis.RedisBusOptions>>,
  Accepts<Refusing<redis.RedisConnectionOptions>>,
  Accepts<Refusing<redis.RedisTrackingBusOptions>>,
  Accepts<Refusing<resilient.BreakerOptions>>,
  Accepts<Refusing<resilient.BulkheadOptions>>,
  Accepts<Refusing<resilient.FailoverOptions>>,
  Accepts<Refusing<resilient.ResilientOptions>>,
  Accepts<Refusing<resilient.RetryOptions>>,
  Accepts<Refusing<sharded.ShardedOptions>>,
  Accepts<Refusing<testing.FaultOptions>>,
  Accepts<Refusing<testing.TestCacheOptions>>,
  Accepts<Refusing<testing.TestStoreOptions>>,
]

it('the list above names every exported type of options', () => {
  const root = join(import.meta.dirname, '../..')
  const own = readFileSync(import.meta.filename, 'utf8')
  const indexes = globSync(
    'packages/{codecs,core,file,http,keyv,layered,memory,next,pipeline,postgres,redis,resilient,sharded,testing}/src/**/index.ts',
    {
      cwd: root,
    },
  )
  const names = indexes.flatMap((index) => readFileSync(join(root, index), 'utf8').match(/\b[A-Z]\w*Options\b/g) ?? [])
  expect(names.length).toBeGreaterThan(30)
  expect([...new Set(names)].filter((name) => !new RegExp(`\\.${name}\\b`).test(own))).toEqual([])
})
