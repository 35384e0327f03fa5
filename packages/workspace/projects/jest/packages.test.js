// Jest with its defaults: CommonJS, babel, no settings.
const { mkdtempSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { Cache, CacheError, cacheErrorCode } = require('@cache/core')
const kit = require('@cache/core/backend')
const { openCache } = require('@cache/core/config')
const { FileBackend } = require('@cache/file')
const { LayeredBackend } = require('@cache/layered')
const { MemoryBackend } = require('@cache/memory')
const { ResilientBackend } = require('@cache/resilient')
const { ShardedBackend } = require('@cache/sharded')
const { entryPoints } = require('../entry-points.cjs')

const memory = () => new MemoryBackend({ maxEntries: 100 })

test.each(entryPoints)('%s loads', (name) => {
  expect(Object.keys(require(name)).length).toBeGreaterThan(0)
})

test.each([
  ['memory', memory],
  ['layered', () => new LayeredBackend({ layers: [memory(), memory()] })],
  ['resilient', () => new ResilientBackend({ backend: memory() })],
  ['sharded', () => new ShardedBackend({ shards: { a: memory(), b: memory() } })],
])('a cache on %s hits', async (_name, open) => {
  const cache = new Cache({ backend: open(), ttl: '1m' })
  expect(await cache.getOrSet('key', async () => 'loaded')).toBe('loaded')
  expect(await cache.getOrSet('key', async () => 'again')).toBe('loaded')
  await cache.close()
})

test('a cache on files hits', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cache-jest-'))
  const cache = new Cache({ backend: new FileBackend({ dir }) })
  await cache.set('key', { at: new Date(0) })
  expect(await cache.get('key')).toEqual({ at: new Date(0) })
  await cache.close()
  rmSync(dir, { recursive: true })
})

test('the classes of two entry points are the same', async () => {
  expect(kit.CacheError).toBe(CacheError)
  const cache = new Cache({ backend: memory() })
  const error = await cache.get(42).catch((reason) => reason)
  expect(error).toBeInstanceOf(CacheError)
  expect(cacheErrorCode(error)).toBe('INVALID_ARGUMENT')
})

test('a configuration opens a cache', async () => {
  const cache = await openCache({ provider: 'memory', ttl: '1m' })
  await cache.set('key', { a: [1] })
  expect(await cache.get('key')).toEqual({ a: [1] })
  await cache.close()
})
