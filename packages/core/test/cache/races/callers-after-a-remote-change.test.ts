import { describe, expect, it } from 'vitest'
import type { Cache, LoadContext } from '../../../src/index.ts'
import { codeOf, GatedLoad, settled, twoProcesses } from '../rig.ts'

describe('callers after a change by another process while the old load still runs', () => {
  for (const [title, change, options] of [
    ['a delete', (other: Cache) => other.delete('k'), {}],
    ['a clear', (other: Cache) => other.clear(), {}],
    ['an invalidation of its tag', (other: Cache) => other.deleteByTag('t'), { tags: ['t'] }],
  ] as const) {
    it(`R2 any number of callers after ${title} share one new load`, async () => {
      const { cache, other } = twoProcesses()
      const load = new GatedLoad<string>()
      const first = cache.getOrSet('k', load.loader, options)
      await load.started()
      await change(other)
      const late = Array.from({ length: 100 }, () => cache.getOrSet('k', load.loader, options))
      await settled()
      load.end('old')
      await load.started()
      load.end('new')
      expect(new Set(await Promise.all(late))).toEqual(new Set(['new']))
      expect([await first, await cache.get('k'), load.runs]).toEqual(['old', 'new', 2])
      const { hits, misses } = await cache.stats()
      expect([hits, misses]).toEqual([1, 101])
    })
  }

  it('R2 a caller after an invalidation of a tag that the load names late loads again', async () => {
    const { cache, other } = twoProcesses()
    const load = new GatedLoad<string>()
    const named = async (context: LoadContext): Promise<string> => {
      const value = await load.loader()
      context.tags = ['late']
      return value
    }
    const first = cache.getOrSet('k', named)
    await load.started()
    await other.deleteByTag('late')
    const second = cache.getOrSet('k', named)
    await settled()
    load.end('old')
    await load.started()
    load.end('new')
    expect([await first, await second]).toEqual(['old', 'new'])
  })

  it('R2 a caller after a set gets the value of the set', async () => {
    const { cache, other } = twoProcesses()
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    await other.set('k', 'set')
    const second = cache.getOrSet('k', load.loader)
    await settled()
    load.end('old')
    expect([await first, await second, load.runs]).toEqual(['old', 'set', 1])
  })

  for (const [remoteTitle, remoteChange] of [
    ['sets the key', (other: Cache) => other.set('k', 'set remotely', { tags: ['t'] })],
    ['deletes the key', (other: Cache) => other.delete('k')],
    ['invalidates a tag', (other: Cache) => other.deleteByTag('t')],
  ] as const) {
    for (const [localTitle, localChange] of [
      ['sets the key', (cache: Cache) => cache.set('k', 'set locally', { tags: ['t'] })],
      ['sets many keys', (cache: Cache) => cache.setMany([['k', 'set locally']])],
      ['deletes the key', (cache: Cache) => cache.delete('k')],
      ['deletes many keys', (cache: Cache) => cache.deleteMany(['k', 'other'])],
      ['takes the key', (cache: Cache) => cache.take('k')],
      ['invalidates the tag', (cache: Cache) => cache.deleteByTag('t')],
      ['deletes the prefix', (cache: Cache) => cache.deleteByPrefix('k')],
      ['clears the cache', (cache: Cache) => cache.clear()],
      ['updates the key', (cache: Cache) => cache.update('k', () => 'set locally')],
      ['adds the key', (cache: Cache) => cache.add('k', 'set locally')],
      ['replaces the key', (cache: Cache) => cache.replace('k', 'set locally')],
    ] as const) {
      for (const [callTitle, call] of [
        ['getOrSet', (cache: Cache, loader: () => Promise<string>) => cache.getOrSet('k', loader, { tags: ['t'] })],
        [
          'getOrSetMany',
          async (cache: Cache, loader: () => Promise<string>) =>
            (await cache.getOrSetMany(['k'], async () => [['k', await loader()]], { tags: ['t'] }))[0],
        ],
      ] as const) {
        for (const stale of [false, true]) {
          const title = `another process ${remoteTitle}, a caller joins, and this process ${localTitle}`
          it(`R2 ${callTitle}${stale ? ' with a stale value' : ''} never returns the old value if ${title}`, async () => {
            const { cache, other, clock } = twoProcesses({ staleFor: '1h', softTimeout: '10s' })
            if (stale) {
              await cache.set('k', 'stale', { tags: ['t'] })
              clock.advance(60_000)
            }
            const load = new GatedLoad<string>()
            const first = call(cache, load.loader)
            await load.started()
            await remoteChange(other)
            const joined = call(cache, async () => 'loaded anew')
            await settled()
            await localChange(cache)
            load.end('old')
            await first
            expect(['set locally', 'set remotely', 'loaded anew']).toContain(await joined)
          })
        }
      }
    }
  }

  it('R2 a caller between an invalidation of a tag that the load names late and one of another tag loads again', async () => {
    const { cache, other } = twoProcesses()
    const load = new GatedLoad<string>()
    const named = async (context: LoadContext): Promise<string> => {
      const value = await load.loader()
      context.tags = ['late']
      return value
    }
    const first = cache.getOrSet('k', named)
    await load.started()
    await other.deleteByTag('late')
    const second = cache.getOrSet('k', async () => 'loaded anew')
    await settled()
    await cache.deleteByTag('another')
    load.end('old')
    expect([await first, await second]).toEqual(['old', 'loaded anew'])
  })

  it('R2 a caller after a delete between the storing of a result and its answer gets the new value', async () => {
    const { cache, other, far } = twoProcesses()
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    const answer = far.holdAfter('compareAndSet')
    load.end('old')
    await answer.reached
    await other.delete('k')
    const second = cache.getOrSet('k', async () => 'new')
    await settled()
    answer.open()
    expect([await first, await second]).toEqual(['old', 'new'])
  })

  for (const [title, loader] of [
    ['is not to be stored', (context: LoadContext) => Object.assign(context, { store: false })],
    ['is undefined', () => undefined],
  ] as const) {
    for (const stale of [true, false]) {
      it(`R2 a caller after a delete gets the new value if the old result ${title}${stale ? ' and there was a stale value' : ''}`, async () => {
        const { cache, other, clock } = twoProcesses({ staleFor: '1h', softTimeout: '1s' })
        if (stale) await cache.set('k', 'stale')
        clock.advance(60_000)
        const load = new GatedLoad<string>()
        const first = cache.getOrSet('k', async (context: LoadContext) => {
          const value = await load.loader()
          return loader(context) === undefined ? undefined : value
        })
        await load.started()
        await other.delete('k')
        const second = cache.getOrSet('k', async () => 'new')
        await settled()
        load.end('old')
        await first
        expect(await second).toBe('new')
      })
    }
  }

  for (const [title, failing] of [
    ['when the load begins', { before: true, after: false }],
    ['when the result is stored', { before: false, after: true }],
    ['from the beginning of the load on', { before: true, after: true }],
  ] as const) {
    for (const [change, options] of [
      [(other: Cache) => other.delete('k'), {}],
      [(other: Cache) => other.deleteByTag('t'), { tags: ['t'] }],
    ] as const) {
      const changed = 'tags' in options ? 'an invalidation of its tag' : 'a delete'
      it(`R2 a caller after ${changed} gets the new value although the store fails ${title}`, async () => {
        const { cache, other, far } = twoProcesses()
        const load = new GatedLoad<string>()
        far.broken = failing.before
        const first = cache.getOrSet('k', load.loader, options)
        await load.started()
        far.broken = false
        await change(other)
        const second = cache.getOrSet('k', load.loader, options)
        await settled()
        far.broken = failing.after
        load.end('old')
        await load.started()
        load.end('new')
        expect([await first, await second, load.runs]).toEqual(['old', 'new', 2])
      })
    }
  }

  it('R2 a caller after a delete gets the new value while others wait for softTimeout', async () => {
    const { cache, other, clock } = twoProcesses({ staleFor: '1h', softTimeout: '1s' })
    await cache.set('k', 'stale')
    clock.advance(60_000)
    const load = new GatedLoad<string>()
    const first = cache.getOrSet('k', load.loader)
    await load.started()
    // This call comes before the delete: it has a stale value.
    const second = cache.getOrSet('k', load.loader)
    await settled()
    await other.delete('k')
    const third = cache.getOrSet('k', load.loader)
    await settled()
    load.end('old')
    await load.started()
    load.end('new')
    expect([await first, await second, await third]).toEqual(['old', 'new', 'new'])
  })

  it('R2 a caller after a delete never gets the value that an earlier load takes over from another process', async () => {
    const { cache, other, far } = twoProcesses()
    const put = far.holdBefore('compareAndSet')
    const first = cache.getOrSet('k', async () => 'unused')
    await put.reached
    await other.getOrSet('k', async () => 'old')
    const looked = far.holdAfter('get')
    put.open()
    await looked.reached
    await other.delete('k')
    const second = cache.getOrSet('k', async () => 'new')
    await settled()
    looked.open()
    expect([await first, await second]).toEqual(['old', 'new'])
  })

  it('R2 R19 a caller after a delete never gets the value that an earlier load with lock takes over', async () => {
    const { cache, other, far, clock } = twoProcesses({ lock: true })
    const load = new GatedLoad<string>()
    const theirs = other.getOrSet('k', load.loader)
    await load.started()
    const first = cache.getOrSet('k', async () => 'unused')
    await settled()
    load.end('old')
    await theirs
    const looked = far.holdAfter('get')
    clock.advance(20)
    await looked.reached
    await other.delete('k')
    const second = cache.getOrSet('k', async () => 'new')
    await settled()
    looked.open()
    expect([await first, await second]).toEqual(['old', 'new'])
  })

  it('R2 callers after a delete never get the value that an earlier caller is looking up', async () => {
    const { cache, other, far } = twoProcesses({ refreshAhead: 0.9 })
    await cache.set('k', 'old')
    const looked = far.holdAfter('get')
    const first = cache.getOrSet('k', async () => 'unused')
    await looked.reached
    await other.delete('k')
    const late = [1, 2].map(() => cache.getOrSet('k', async () => 'new'))
    await settled()
    looked.open()
    expect([await first, ...(await Promise.all(late))]).toEqual(['old', 'new', 'new'])
  })

  it('R1 callers who wait while their own process deletes the key get its value', async () => {
    const { cache } = twoProcesses()
    const load = new GatedLoad<string>()
    const all = [cache.getOrSet('k', load.loader)]
    await load.started()
    for (let caller = 0; caller < 3; caller += 1) all.push(cache.getOrSet('k', load.loader))
    await settled()
    await cache.delete('k')
    load.end('old')
    expect([await Promise.all(all), load.runs]).toEqual([['old', 'old', 'old', 'old'], 1])
  })

  it('R20 a load that fails rejects the later callers too, after one run', async () => {
    const { cache, other } = twoProcesses()
    const load = new GatedLoad<string>()
    const first = codeOf(cache.getOrSet('k', load.loader))
    await load.started()
    await other.delete('k')
    const second = codeOf(cache.getOrSet('k', load.loader))
    await settled()
    const failure = new Error('down')
    load.fail(failure)
    expect([await first, await second, load.runs]).toEqual([failure, failure, 1])
  })
})
