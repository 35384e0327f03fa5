import { describe, expect, it } from 'vitest'
import { createRandom } from '../../src/conformance/samples/random.ts'
import { Cache, hashLongKeys } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { bothStores, codeOf, collect, oneProcess } from './rig.ts'

async function keysOf(cache: Cache, prefix?: string): Promise<string[]> {
  return (await collect(cache.keys(prefix))).sort()
}

for (const [name, open] of bothStores) {
  describe(`namespaces, on ${name}`, () => {
    it('R35 two namespaces never share a backend key, whatever their names and keys (seeded)', async () => {
      const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
      const random = createRandom(seed)
      const { cache } = open()
      const pieces = ['a', 'b', ':', '::', '/', '%', '%3A', '%25', '@', '@/', '@#', '']
      const piece = (): string => random.pick(pieces) + random.pick(pieces)
      const written = new Map<string, number>()
      for (let round = 0; round < 1500; round += 1) {
        const segments = Array.from({ length: random.below(4) }, () => `${piece()}n`.slice(random.below(2)) || 'n')
        const key = piece() + piece()
        const scope = segments.reduce((inner, segment) => inner.namespace(segment), cache)
        await scope.set(key, round)
        written.set(JSON.stringify([segments, key]), round)
      }
      for (const [place, value] of written) {
        const [segments, key] = JSON.parse(place) as [string[], string]
        const scope = segments.reduce((inner, segment) => inner.namespace(segment), cache)
        expect(await scope.get(key), `SEED=${seed} ${place}`).toBe(value)
      }
      expect((await cache.stats()).hits).toBe(written.size)
    })

    it('the option, an array of segments and nested namespace() calls give the same namespace', async () => {
      const backend = new MapBackend()
      const root = new Cache({ backend })
      await root.namespace('a').namespace('b').set('k', 1)
      expect(await new Cache({ backend, namespace: ['a', 'b'] }).get('k')).toBe(1)
      expect(await new Cache({ backend, namespace: 'a' }).namespace('b').get('k')).toBe(1)
      expect(await new Cache({ backend, namespace: 'a:b' }).get('k')).toBe(undefined)
      expect(await new Cache({ backend, namespace: 'a/b' }).get('k')).toBe(undefined)
    })

    it('clear removes the items of the namespace and of those within it, and no others', async () => {
      const { cache } = open()
      const places = ['a', 'ab', 'b'].flatMap((segment) => [
        cache.namespace(segment),
        cache.namespace(segment).namespace('a'),
      ])
      for (const place of [cache, ...places]) await place.set('k', 1)
      await cache.namespace('a').clear()
      const left = await Promise.all([cache, ...places].map((place) => place.has('k')))
      expect(left).toEqual([true, false, false, true, true, true, true])
      await cache.clear()
      expect(await Promise.all([cache, ...places].map((place) => place.has('k')))).toEqual(Array(7).fill(false))
    })

    it('keys and deleteByPrefix see only the keys of their namespace, character by character', async () => {
      const { cache } = open()
      const inner = cache.namespace('n')
      const keys = ['a', 'a*', 'a%b', 'a_b', 'A', '@', '@a', '@/n/:a', '']
      for (const key of keys) {
        await cache.set(key, 'root')
        await inner.set(key, 'inner')
      }
      await cache.set('tagged', 1, { tags: ['t'] })
      await cache.increment('counter')
      await cache.rateLimit('r', { limit: 1, window: 1000 })
      expect(await keysOf(cache)).toEqual([...keys, 'tagged', 'counter'].sort())
      expect(await keysOf(inner)).toEqual([...keys].sort())
      expect(await keysOf(cache, '@')).toEqual(['@', '@/n/:a', '@a'])
      expect(await keysOf(inner, 'a')).toEqual(['a', 'a%b', 'a*', 'a_b'])
      await cache.deleteByPrefix('a%')
      await cache.deleteByPrefix('@/')
      await inner.deleteByPrefix('@')
      expect(await keysOf(cache)).toEqual(['', '@', '@a', 'A', 'a', 'a*', 'a_b', 'counter', 'tagged'])
      expect(await keysOf(inner)).toEqual(['', 'A', 'a', 'a%b', 'a*', 'a_b'])
      expect(await cache.get('tagged')).toBe(1)
    })

    it('deleteByPrefix refuses the empty prefix and any value that is no string', async () => {
      const { cache } = open()
      for (const wrong of ['', 5, null, undefined])
        expect(await codeOf(cache.deleteByPrefix(wrong as string))).toBe('INVALID_ARGUMENT')
    })

    it('invalid names are refused', () => {
      const { cache } = open()
      for (const wrong of ['', undefined, null, 5, [], ['a']])
        expect(() => cache.namespace(wrong as string)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
      for (const wrong of ['', 5, [''], [5], {}])
        expect(() => new Cache({ backend: new MapBackend(), namespace: wrong as string })).toThrow(
          expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
        )
    })
  })
}

describe('transformKey', () => {
  it('every read and every write uses the transformed key', async () => {
    const { cache, backend } = oneProcess({ transformKey: (key) => key.toLowerCase() })
    await cache.set('KEY', 1)
    expect(await cache.get('key')).toBe(1)
    expect(await cache.getMany(['Key', 'kEY'])).toEqual([1, 1])
    expect(await cache.getOrSetMany(['A', 'a'], (keys) => Object.fromEntries(keys.map((key) => [key, key])))).toEqual([
      'A',
      'A',
    ])
    expect((await cache.item('Key'))?.key).toBe('Key')
    expect(await backend.get('key')).toMatchObject({ key: 'key', value: 1 })
    expect(await keysOf(cache)).toEqual(['a', 'key'])
    expect(await cache.delete('kEy')).toBe(true)
  })

  it('a result that is no string is refused', async () => {
    const { cache } = oneProcess({ transformKey: () => 5 as never })
    expect(await codeOf(cache.get('k'))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(cache.set('k', 1))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(cache.getMany(['k']))).toBe('INVALID_ARGUMENT')
  })

  it('an error of the function rejects the call unchanged', async () => {
    const { cache } = oneProcess({
      transformKey: () => {
        throw new Error('mine')
      },
    })
    await expect(cache.get('k')).rejects.toThrow('mine')
    await expect(cache.getOrSet('k', () => 1)).rejects.toThrow('mine')
    await expect(cache.set('k', 1)).rejects.toThrow('mine')
  })
})

describe('hashLongKeys', () => {
  it('shorter keys stay unchanged, and all others become distinct keys of exactly the maximum length', () => {
    const change = hashLongKeys(100)
    expect(change('x'.repeat(99))).toBe('x'.repeat(99))
    const start = 'x'.repeat(5000)
    const keys = Array.from({ length: 500 }, (_, index) => change(start + index))
    expect(new Set(keys).size).toBe(500)
    expect(new Set(keys.map((key) => key.length))).toEqual(new Set([100]))
    expect(change('\ud800'.repeat(200))).not.toBe(change('\ud801'.repeat(200)))
  })

  it('a shortened key never equals a key that needed no change', () => {
    const change = hashLongKeys(100)
    const hashed = change('x'.repeat(5000))
    expect(change(hashed)).not.toBe(hashed)
  })

  it('limits without room for a digest are refused', () => {
    for (const wrong of [63, 0, -1, 100.5, Number.NaN, '200'])
      expect(() => hashLongKeys(wrong as number)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
