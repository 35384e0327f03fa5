// Run by `verify` in an empty project that has only `@cache/core` and the package named by the first argument installed
// from their tarballs, with the packages that it works with. Plain JavaScript, because the oldest supported Node does
// not strip types.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cache, nullBackend } from '@cache/core'

const [name] = process.argv.slice(2)
const folder = await mkdtemp(join(tmpdir(), 'cache-smoke-'))
const prefix = `smoke-${process.versions.node}-${process.pid}`

async function memory() {
  const { MemoryBackend } = await import('@cache/memory')
  return new MemoryBackend({ maxEntries: 100 })
}

/** One use of each backend, and of each other package, as in an application. */
const smokes = {
  '@cache/core': async () => {
    const cache = new Cache({ backend: nullBackend })
    assert.equal(await cache.getOrSet('key', async () => 'loaded'), 'loaded')
    assert.equal(await cache.get('key'), undefined)
    await assert.rejects(cache.get(42), { code: 'INVALID_ARGUMENT' })
    await cache.close()
    const { chapters } = await import('@cache/core/conformance')
    assert.ok(chapters.length > 0)
    const { milliseconds } = await import('@cache/core/backend')
    assert.equal(milliseconds('2m', 'ttl', 'smoke'), 120_000)
    const { prometheusText } = await import('@cache/core/metrics')
    assert.match(
      prometheusText({ smoke: await new Cache({ backend: nullBackend }).stats() }),
      /^cache_hits_total\{cache="smoke"\} 0$/m,
    )
  },
  '@cache/codecs': async () => {
    const { ItemFormat } = await import('@cache/codecs')
    const format = new ItemFormat()
    const item = { key: 'key', value: { at: new Date(0), tags: new Set(['a']) }, version: 'v1', createdAt: 1 }
    assert.deepEqual(format.decode('key', format.encode(item)), item)
  },
  '@cache/memory': async () => {
    await useCache(await memory())
    const { simulatePolicies } = await import('@cache/memory/simulate')
    assert.equal(typeof simulatePolicies, 'function')
  },
  '@cache/redis': async () => {
    const { RedisBackend } = await import('@cache/redis')
    await useCache(new RedisBackend({ url: process.env.REDIS_URL, prefix }))
  },
  '@cache/postgres': async () => {
    const { PostgresBackend } = await import('@cache/postgres')
    await useCache(new PostgresBackend({ url: process.env.POSTGRES_URL, prefix }))
  },
  '@cache/file': async () => {
    const { FileBackend } = await import('@cache/file')
    await useCache(new FileBackend({ dir: folder }))
    const { JobQueue } = await import('@cache/file/queue')
    const { transact } = await import('@cache/file/transactions')
    const { getStream, setStream } = await import('@cache/file/streams')
    const { check } = await import('@cache/file/maintenance')
    const backend = new FileBackend({ dir: folder })
    const jobs = new JobQueue(backend, 'jobs')
    await jobs.push('job')
    assert.equal((await jobs.pull()).value, 'job')
    assert.equal(await transact(backend, (tx) => tx.increment('sum', 2)), 2)
    assert.equal(await setStream(backend, { key: 'stream', version: 'v', createdAt: 1 }, ['bytes']), 5)
    assert.equal(String(await (await getStream(backend, 'stream')).toArray()), 'bytes')
    assert.deepEqual((await check(backend)).problems, [])
    await backend.close()
  },
  '@cache/testing': async () => {
    const { assertCached, assertLoads, createTestCache } = await import('@cache/testing')
    const { cache, clock, store } = createTestCache({ ttl: '1m' })
    await assertLoads(cache, 1, () => cache.getOrSet('key', async () => 'loaded'))
    await assertCached(cache, 'key', 'loaded')
    clock.advance('2m')
    store.fail('TIMEOUT', { times: 1 })
    assert.equal(await cache.getOrSet('key', async () => 'again'), 'again')
    await cache.close()
  },
  '@cache/http': async () => {
    const { HttpCache } = await import('@cache/http')
    const cache = new Cache({ backend: await memory() })
    const http = new HttpCache({ cache })
    let requests = 0
    const origin = async () => {
      requests += 1
      return new Response(`page ${requests}`, { headers: { 'cache-control': 'max-age=60' } })
    }
    for (let count = 0; count < 2; count += 1) {
      const response = await http.fetch(new Request('https://smoke.example/'), origin)
      assert.equal(await response.text(), 'page 1')
    }
    await http.purge('https://smoke.example/')
    // The frameworks are optional peer dependencies, and are not installed here.
    const { cachedListener } = await import('@cache/http/node')
    const { expressCache } = await import('@cache/http/express')
    const { fastifyCache } = await import('@cache/http/fastify')
    const { honoCache } = await import('@cache/http/hono')
    for (const each of [cachedListener, expressCache, fastifyCache, honoCache]) assert.equal(typeof each, 'function')
    await cache.close()
  },
  '@cache/keyv': async () => {
    const { Keyv5Storage } = await import('@cache/keyv')
    // Keyv is an optional peer dependency, and is not installed here.
    const storage = new Keyv5Storage(await memory())
    assert.equal(await storage.set('key', 'value', 60_000), true)
    assert.deepEqual(await storage.getMany(['key', 'other']), ['value', undefined])
    assert.equal(await storage.deleteMany(['key']), true)
    await storage.disconnect()
  },
  '@cache/layered': async () => {
    const { LayeredBackend } = await import('@cache/layered')
    await useCache(new LayeredBackend({ layers: [await memory(), await memory()] }))
  },
  '@cache/next': async () => {
    const { closeNextCache, nextCacheHandler } = await import('@cache/next')
    const required = createRequire(import.meta.url)('@cache/next')
    const { Cache } = await import('@cache/core')
    // Next is an optional peer dependency, and is not installed here. Both formats share one cache.
    let opened = 0
    const open = async () => {
      const backend = await memory()
      return () => {
        opened += 1
        return new Cache({ backend })
      }
    }
    const options = { buildId: 'build', clockTolerance: 0 }
    const Imported = nextCacheHandler(await open(), options)
    const Required = required.nextCacheHandler(await open(), options)
    const value = { kind: 'APP_PAGE', html: '<p>', segmentData: new Map([['/a', Buffer.from('a')]]) }
    await new Imported({}).set('/a', value, { cacheControl: { revalidate: 60, expire: 3600 } })
    assert.deepEqual((await new Required({}).get('/a', { kind: 'APP_PAGE' })).value, value)
    await Required.updateTags(['tag'])
    assert.equal(opened, 1)
    await closeNextCache()
  },
  '@cache/pipeline': async () => {
    const { input, pipeline } = await import('@cache/pipeline')
    const cache = new Cache({ backend: await memory() })
    const p = pipeline({ name: 'smoke', cache, inputs: { list: input() } })
    const double = p.map('double', { over: p.inputs.list, version: '1' }, (n) => 2 * n)
    assert.deepEqual((await p.run(double, { list: [1, 2] })).value, [2, 4])
    assert.equal((await p.run(double, { list: [1, 2] })).report.toText().includes('double: HIT'), true)
    // esbuild is an optional peer dependency, and is not installed here.
    const { hashExport } = await import('@cache/pipeline/source')
    await assert.rejects(hashExport({ file: import.meta.filename, name: 'load' }), { code: 'UNSUPPORTED' })
    await cache.close()
  },
  '@cache/sharded': async () => {
    const { ShardedBackend } = await import('@cache/sharded')
    await useCache(new ShardedBackend({ shards: { a: await memory(), b: await memory() } }))
  },
  '@cache/resilient': async () => {
    const { ResilientBackend } = await import('@cache/resilient')
    await useCache(new ResilientBackend({ backend: await memory() }))
  },
}

async function useCache(backend) {
  const cache = new Cache({ backend, ttl: '1m' })
  let loads = 0
  const load = async () => {
    loads += 1
    return { text: 'grüße', at: new Date(0), list: [1, null, 'x'] }
  }
  assert.equal(await cache.get('greeting'), undefined)
  const first = await cache.getOrSet('greeting', load, { tags: ['words'] })
  assert.deepEqual(await cache.getOrSet('greeting', load), first)
  assert.equal(loads, 1)
  assert.equal(await cache.increment('count', 2), 2)
  assert.equal(await cache.increment('count'), 3)
  await cache.deleteByTag('words')
  assert.equal(await cache.get('greeting'), undefined)
  assert.equal(await cache.delete('count'), true)
  await cache.close()
  await backend.close?.()
}

try {
  assert.ok(smokes[name], `there is no smoke for ${name}`)
  await smokes[name]()
} finally {
  await rm(folder, { recursive: true })
}
console.log(`${name} works on Node ${process.versions.node}`)
