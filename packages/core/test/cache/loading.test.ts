import { describe, expect, it } from 'vitest'
import type { LoadContext } from '../../src/index.ts'
import { bothStores, codeOf, GatedLoad, oneProcess, settled, twoProcesses } from './rig.ts'

for (const [name, open] of bothStores) {
  describe(`a load, on ${name}`, () => {
    it('the loader decides ttl, tags and storage from the loaded value', async () => {
      const { cache, clock } = open()
      const loader = async (load: LoadContext): Promise<string> => {
        load.ttl = '1s'
        load.staleFor = '2s'
        load.tags = ['late']
        return 'value'
      }
      await cache.getOrSet('k', loader, { tags: ['declared'] })
      const item = await cache.item('k')
      expect(Object.keys(item?.tags ?? {}).sort()).toEqual(['declared', 'late'])
      expect(item?.staleAt).toBe(clock.now() + 1000)
      expect(item?.expiresAt).toBe(clock.now() + 3000)
      await cache.getOrSet('none', async (load) => {
        load.store = false
        return 1
      })
      expect(await cache.get('none')).toBe(undefined)
    })

    it('R4 a loader that names tags without declaring its parameter is stored from the second run on', async () => {
      const { cache } = open()
      const gate = new GatedLoad<string>()
      const loader = async (...given: LoadContext[]): Promise<string> => {
        const value = await gate.loader()
        for (const load of given) load.tags = ['late']
        return value
      }
      for (const [value, stored] of [
        ['first', undefined],
        ['second', 'second'],
      ]) {
        const loading = cache.getOrSet('k', loader as () => Promise<string>)
        await gate.started()
        gate.end(value as string)
        expect([await loading, await cache.get('k')]).toEqual([value, stored])
      }
      await cache.deleteByTag('late')
      const old = cache.getOrSet('k', loader as () => Promise<string>)
      await gate.started()
      await cache.deleteByTag('late')
      gate.end('old')
      expect([await old, await cache.get('k')]).toEqual(['old', undefined])
    })

    it('a loader that sets ttl to 0 stores nothing and removes the old value', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
      await cache.set('k', 'old')
      clock.advance(60_000)
      const zero = async (load: LoadContext): Promise<string> => {
        load.ttl = 0
        return 'new'
      }
      const before = (await cache.stats()).sets
      expect(await cache.getOrSet('k', zero)).toBe('new')
      expect(await cache.get('k', { stale: true })).toBe(undefined)
      expect((await cache.stats()).sets).toBe(before)
    })

    it('the loader gets the stale value with its version and tags, and keeps it by notModified', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
      await cache.set('k', { etag: 'a' }, { tags: ['t'] })
      const stored = await cache.item('k')
      clock.advance(60_000)
      let seen: unknown
      const loader = (load: LoadContext) => {
        seen = load.stale
        return load.notModified()
      }
      expect(await cache.getOrSet('k', loader)).toEqual({ etag: 'a' })
      expect(seen).toEqual(stored)
      expect(await cache.ttl('k')).toBe(60_000)
    })

    it('notModified keeps the tags of the value, whether the call or the loader named them', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
      await cache.getOrSet('k', async (load) => {
        load.tags = ['late']
        return 'value'
      })
      clock.advance(60_000)
      expect(await cache.getOrSet('k', (load) => load.notModified())).toBe('value')
      expect(Object.keys((await cache.item('k'))?.tags ?? {})).toEqual(['late'])
      await cache.deleteByTag('late')
      expect(await cache.get('k', { stale: true })).toBe(undefined)
    })

    it('R4 notModified does not restore a value whose tag was invalidated meanwhile', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('k', 'value', { tags: ['t'] })
      clock.advance(60_000)
      const gate = new GatedLoad<void>()
      const loader = async (load: LoadContext) => {
        await gate.loader()
        return load.notModified()
      }
      expect(await cache.getOrSet('k', loader)).toBe('value')
      await gate.started()
      await cache.deleteByTag('t')
      gate.end()
      await settled()
      expect(await cache.get('k', { stale: true })).toBe(undefined)
    })

    it('notModified gives null its own lifetime', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity, nullTtl: '5s' })
      await cache.getOrSet('k', async () => null)
      clock.advance(5000)
      expect(await cache.getOrSet('k', (load) => load.notModified())).toBe(null)
      expect(await cache.ttl('k')).toBe(5000)
    })

    it('notModified of another load is refused without a stale value', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.set('stale', 1)
      clock.advance(60_000)
      let kept: unknown
      const keep = (load: LoadContext): never => {
        kept = load.notModified()
        return kept as never
      }
      expect(await cache.getOrSet('stale', keep, { softTimeout: '1s' })).toBe(1)
      expect(await codeOf(cache.getOrSet('k', () => kept))).toBe('INVALID_ARGUMENT')
      expect(await cache.item('k')).toBe(undefined)
    })

    it('notModified is refused without a stale value', async () => {
      const { cache } = open()
      expect(await codeOf(cache.getOrSet('k', (load) => load.notModified()))).toBe('INVALID_ARGUMENT')
    })

    it('the loader may return a thenable, a plain value, or undefined, which is not stored', async () => {
      const { cache } = open()
      // biome-ignore lint/suspicious/noThenProperty: this is what a query builder looks like.
      const thenable = { then: (resolve: (value: string) => void) => resolve('later') }
      expect(await cache.getOrSet('a', () => thenable as unknown as Promise<string>)).toBe('later')
      expect(await cache.get('a')).toBe('later')
      expect(await cache.getOrSet('b', () => 'at once')).toBe('at once')
      expect(await cache.get('b')).toBe('at once')
      expect(await cache.getOrSet('c', () => undefined)).toBe(undefined)
      expect(await cache.has('c')).toBe(false)
    })

    it('a loader that throws synchronously rejects its caller with the same error', async () => {
      const { cache } = open()
      const failure = new Error('down')
      const loader = (): string => {
        throw failure
      }
      await expect(cache.getOrSet('k', loader)).rejects.toBe(failure)
    })

    it('the loader may use the cache, and a set of its own key wins over its result', async () => {
      const { cache } = open()
      const loader = async (): Promise<string> => {
        await cache.set('other', 1)
        await cache.set('k', 'set')
        return `loaded ${await cache.get('k')}`
      }
      expect(await cache.getOrSet('k', loader)).toBe('loaded set')
      expect(await cache.get('k')).toBe('set')
      expect(await cache.get('other')).toBe(1)
    })

    it('a loader that waits for its own key is ended by the timeout', async () => {
      const { cache, clock } = open({ timeout: '1s' })
      const first = codeOf(cache.getOrSet('k', () => cache.getOrSet('k', () => 1)))
      await settled()
      clock.advance(1000)
      expect(await first).toBe('LOAD_TIMEOUT')
    })

    it('jitter shortens the lifetime by up to its fraction', async () => {
      let drawn = 0
      const { cache } = open({ jitter: 0.5, random: () => drawn })
      await cache.getOrSet('longest', async () => 1)
      expect(await cache.ttl('longest')).toBe(60_000)
      drawn = 0.999999
      await cache.getOrSet('shortest', async () => 1)
      expect(await cache.ttl('shortest')).toBe(30_001)
      await cache.set('set', 1)
      expect(await cache.ttl('set')).toBe(30_001)
      await cache.getOrSet('own', async () => 1, { jitter: 0 })
      expect(await cache.ttl('own')).toBe(60_000)
    })

    it('a loaded null has the lifetime nullTtl', async () => {
      const { cache, clock } = open({ nullTtl: '1s' })
      await cache.getOrSet('k', async () => null)
      expect(await cache.ttl('k')).toBe(1000)
      clock.advance(999)
      expect(await cache.getOrSet('k', async () => 'new')).toBe(null)
      clock.advance(1)
      expect(await cache.getOrSet('k', async () => 'new')).toBe('new')
    })
  })
}

describe('a result that the store refuses', () => {
  it('the result reaches its callers, an error is emitted, and the key is free for the next load', async () => {
    const { cache, far } = twoProcesses()
    const codes: string[] = []
    cache.on('error', ({ error }) => codes.push(error.code))
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    far.failing.add('compareAndSet')
    load.end('value')
    expect(await first).toBe('value')
    expect(codes).toEqual(['UNAVAILABLE'])
    far.failing.clear()
    expect(await cache.getOrSet('k', async () => 'next')).toBe('next')
    expect(await cache.get('k')).toBe('next')
  })
})

describe('a hit without waiting', () => {
  it('invalid options make the call reject instead of throw', async () => {
    const { cache, clock } = oneProcess({ refreshAhead: 0.1 })
    await cache.set('k', 1)
    clock.advance(30_000)
    for (const options of [null, { ttl: -1 }, { earlyExpiry: 'often' }]) {
      expect(await codeOf(cache.getOrSet('k', async () => 2, options as never))).toBe('INVALID_ARGUMENT')
    }
  })
})
