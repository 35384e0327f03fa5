import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { CacheOptions } from '@cache/core'
import { describe, expect, it } from 'vitest'
import {
  assertCached,
  assertLoads,
  assertNotCached,
  assertTagged,
  assertTtl,
  cacheMatchers,
  createTestCache,
  createTestClock,
} from '../src/index.ts'

expect.extend(cacheMatchers as never)

interface Matchers {
  readonly not: Matchers
  toHaveCached(key: string, value?: unknown): Promise<void>
  toHaveTags(key: string, ...tags: string[]): Promise<void>
  toHaveTtl(key: string, least: string, most?: string): Promise<void>
}
const expectCache = (cache: unknown): Matchers => expect(cache) as unknown as Matchers

describe('a test cache', () => {
  it('expires values when the test moves the clock', async () => {
    const { cache, clock } = createTestCache({ ttl: '5m', start: 0 })
    await cache.set('k', 1)
    clock.advance('299s')
    expect(await cache.get('k')).toBe(1)
    clock.advance('1s')
    expect([await cache.get('k'), clock.now()]).toEqual([undefined, 300_000])
    await cache.close()
  })

  it('refuses values that production would refuse', async () => {
    const { cache } = createTestCache()
    await expect(cache.set('k', new URL('https://example.org'))).rejects.toThrow(
      expect.objectContaining({ code: 'NOT_STORABLE' }),
    )
    await cache.close()
  })

  it('`settled` waits for refreshes in the background, and tells the application of them', async () => {
    const told: unknown[] = []
    const waitUntil: CacheOptions['waitUntil'] = (work) => told.push(work)
    const { cache, clock, settled } = createTestCache({ ttl: '1s', staleFor: '1m', waitUntil })
    await cache.set('k', 'old')
    clock.advance('2s')
    expect(await cache.getOrSet('k', async () => 'new')).toBe('old')
    await settled()
    expect([await cache.get('k'), told.length]).toEqual(['new', 1])
    await cache.close()
  })

  it('serves the code under test while the store fails', async () => {
    const { cache, store } = createTestCache()
    cache.on('error', () => {})
    store.fail()
    expect(await cache.getOrSet('k', async () => 'loaded')).toBe('loaded')
    store.restore()
    expect(await cache.get('k')).toBe(undefined)
    await cache.close()
  })

  it('refuses unknown options', () => {
    expect(() => createTestCache({ tll: 1 } as never)).toThrow("unknown option 'tll'")
    expect(() => createTestClock().advance('soon' as '1s')).toThrow('duration must be')
  })
})

describe('assertions', () => {
  const open = () => createTestCache({ ttl: '1m', staleFor: '1h' })

  it('`assertCached` resolves to the value, or says what the cache has', async () => {
    const { cache, clock } = open()
    await expect(assertCached(cache, 'k')).rejects.toThrow("the cache has nothing for 'k'")
    await cache.set('k', { a: 1 })
    expect(await assertCached(cache, 'k')).toEqual({ a: 1 })
    await assertCached(cache, 'k', { a: 1 })
    await expect(assertCached(cache, 'k', { a: 2 })).rejects.toMatchObject({
      code: 'ERR_ASSERTION',
      actual: { a: 1 },
      expected: { a: 2 },
    })
    await expect(assertCached(cache, 'k', undefined)).rejects.toThrow('another value')
    clock.advance('2m')
    await expect(assertCached(cache, 'k')).rejects.toThrow("the cache has only a stale value: { a: 1 } for 'k'")
    await cache.close()
  })

  it('`assertNotCached` accepts a stale value and refuses a fresh one', async () => {
    const { cache, clock } = open()
    await assertNotCached(cache, 'k')
    await cache.set('k', 0)
    await expect(assertNotCached(cache, 'k')).rejects.toThrow("the cache has a value for 'k'")
    clock.advance('2m')
    await assertNotCached(cache, 'k')
    await cache.close()
  })

  it('`assertTagged` names the tags that are lacking', async () => {
    const { cache } = open()
    await cache.set('k', 1, { tags: ['a', 'b'] })
    await assertTagged(cache, 'k', 'b', 'a')
    await expect(assertTagged(cache, 'k', 'a', 'c')).rejects.toThrow("the item of 'k' lacks the tags c")
    await expect(assertTagged(cache, 'none', 'a')).rejects.toThrow('the cache has nothing')
    await cache.close()
  })

  it('`assertTtl` compares the remaining time', async () => {
    const { cache, clock } = open()
    await cache.set('k', 1)
    await assertTtl(cache, 'k', '1m')
    clock.advance('10s')
    await assertTtl(cache, 'k', '40s', '50s')
    await expect(assertTtl(cache, 'k', '1m')).rejects.toThrow(
      "the value of 'k' is fresh for 50000 ms, not for 60000 ms",
    )
    await cache.close()
  })

  it('`assertLoads` counts the loads of the work and resolves to its result', async () => {
    const { cache } = open()
    const work = () => Promise.all([1, 2, 3].map(() => cache.getOrSet('k', async () => 'v')))
    expect(await assertLoads(cache, 1, work)).toEqual(['v', 'v', 'v'])
    await assertLoads(cache, 0, work)
    await expect(assertLoads(cache, 1, work)).rejects.toThrow('the work caused 0 loads, not 1')
    await cache.close()
  })

  it('matchers of vitest and jest pass, fail and can be negated', async () => {
    const { cache, store } = open()
    await cache.set('k', 1, { tags: ['a'] })
    await expectCache(cache).toHaveCached('k')
    await expectCache(cache).toHaveCached('k', 1)
    await expectCache(cache).not.toHaveCached('k', 2)
    await expectCache(cache).not.toHaveCached('l')
    await expectCache(cache).toHaveTags('k', 'a')
    await expectCache(cache).toHaveTtl('k', '1m')
    await expect(expectCache(cache).toHaveCached('l')).rejects.toThrow("the cache has nothing for 'l'")
    await expect(expectCache(cache).not.toHaveCached('k')).rejects.toThrow("the cache has a value for 'k'")
    store.fail()
    await expect(expectCache(cache).not.toHaveTags('k', 'z')).rejects.toThrow('the test made the store fail')
    await cache.close()
  })
})

it('the package works under node:test', async () => {
  const program = `
    import { test } from 'node:test'
    import { assertCached, createTestCache } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)}
    test('a cache', async () => {
      const { cache } = createTestCache()
      await cache.set('k', 1)
      await assertCached(cache, 'k', 1)
      await cache.close()
    })`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  expect(stdout).toContain('pass 1')
})
