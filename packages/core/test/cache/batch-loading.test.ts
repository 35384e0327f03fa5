import { describe, expect, it } from 'vitest'
import { bothStores, codeOf, GatedLoad, settled, twoProcesses } from './rig.ts'

/** A batch loader that records the requested keys. */
function squares(): { loader: (keys: readonly string[]) => Promise<[string, number][]>; asked: string[][] } {
  const asked: string[][] = []
  return {
    asked,
    loader: async (keys) => {
      asked.push([...keys])
      return keys.map((key): [string, number] => [key, Number(key) ** 2])
    },
  }
}

for (const [name, open] of bothStores) {
  describe(`getOrSetMany, on ${name}`, () => {
    it('one load fetches all missing keys, and the values come in the order of the keys', async () => {
      const { cache } = open()
      await cache.set('2', 'two')
      const { loader, asked } = squares()
      expect(await cache.getOrSetMany(['3', '2', '1'], loader)).toEqual([9, 'two', 1])
      expect(asked).toEqual([['3', '1']])
      expect(await cache.getMany(['1', '2', '3'])).toEqual([1, 'two', 9])
    })

    it('R38 a duplicate key is loaded once and gets its value in each place; an empty batch loads nothing', async () => {
      const { cache } = open()
      const { loader, asked } = squares()
      expect(await cache.getOrSetMany(['2', '2', '3', '2'], loader)).toEqual([4, 4, 9, 4])
      expect(await cache.getOrSetMany([], loader)).toEqual([])
      expect(asked).toEqual([['2', '3']])
    })

    it('a key that the loader omits is not stored, nor is a key outside the batch', async () => {
      const { cache } = open()
      const loader = async () =>
        new Map([
          ['a', 1],
          ['other', 2],
        ])
      expect(await cache.getOrSetMany(['a', 'b'], loader)).toEqual([1, undefined])
      expect(await cache.getMany(['a', 'b', 'other'])).toEqual([1, undefined, undefined])
    })

    it('R25 falsy values are returned and stored', async () => {
      const { cache } = open()
      const falsy: [string, unknown][] = [
        ['null', null],
        ['zero', 0],
        ['text', ''],
        ['no', false],
        ['NaN', Number.NaN],
      ]
      const keys = falsy.map(([key]) => key)
      const values = falsy.map(([, value]) => value)
      expect(await cache.getOrSetMany(keys, async () => falsy)).toEqual(values)
      expect(await cache.getOrSetMany(keys, () => Promise.reject(new Error('loaded again')))).toEqual(values)
      expect(await cache.getMany(keys)).toEqual(values)
    })

    it('a batch joins the running load of a key and loads the other keys', async () => {
      const { cache } = open()
      const load = new GatedLoad<number>()
      const single = cache.getOrSet('2', load.loader)
      await load.started()
      const { loader, asked } = squares()
      const many = cache.getOrSetMany(['1', '2', '3'], loader)
      await settled()
      expect(asked).toEqual([['1', '3']])
      load.end(-4)
      expect(await single).toBe(-4)
      expect(await many).toEqual([1, -4, 9])
    })

    it('a caller of one key joins the batch that loads it', async () => {
      const { cache } = open()
      const load = new GatedLoad<[string, number][]>()
      const many = cache.getOrSetMany(['1', '2'], load.loader)
      await load.started()
      const single = cache.getOrSet('2', () => Promise.reject(new Error('a second load')))
      load.end([
        ['1', 1],
        ['2', 4],
      ])
      expect(await many).toEqual([1, 4])
      expect(await single).toBe(4)
    })

    it('stale values are served while one background load renews them', async () => {
      const { cache, clock } = open({ staleFor: '1h' })
      await cache.setMany([
        ['1', 'old'],
        ['2', 'old'],
      ])
      clock.advance(60_000)
      const { loader, asked } = squares()
      expect(await cache.getOrSetMany(['1', '2'], loader)).toEqual(['old', 'old'])
      await settled()
      expect(asked).toEqual([['1', '2']])
      expect(await cache.getMany(['1', '2'])).toEqual([1, 4])
    })

    it('R20 the error of the loader rejects the call after one run, and stale values are served if every key has one', async () => {
      const { cache, clock } = open({ staleFor: '1h', softTimeout: Infinity })
      const failure = new Error('down')
      let runs = 0
      const failing = async (): Promise<[string, number][]> => {
        runs += 1
        throw failure
      }
      await expect(cache.getOrSetMany(['1', '2'], failing)).rejects.toBe(failure)
      expect(runs).toBe(1)
      await cache.setMany([
        ['1', 'old'],
        ['2', 'old'],
      ])
      clock.advance(60_000)
      expect(await cache.getOrSetMany(['1', '2'], failing)).toEqual(['old', 'old'])
    })

    it('a loader that throws synchronously or returns no list of values rejects the call', async () => {
      const { cache } = open()
      const throwing = (): never => {
        throw new Error('at once')
      }
      await expect(cache.getOrSetMany(['1'], throwing)).rejects.toThrow('at once')
      for (const wrong of [undefined, null, 5, 'text'])
        expect(await codeOf(cache.getOrSetMany(['1'], async () => wrong as never))).toBe('INVALID_ARGUMENT')
    })

    it('R1 R5 a key that was deleted or set during the load is not stored', async () => {
      const { cache } = open()
      const load = new GatedLoad<[string, number][]>()
      const many = cache.getOrSetMany(['1', '2', '3'], load.loader)
      await load.started()
      await cache.delete('1')
      await cache.set('2', 'set')
      load.end([
        ['1', 1],
        ['2', 4],
        ['3', 9],
      ])
      expect(await many).toEqual([1, 4, 9])
      await settled()
      expect(await cache.getMany(['1', '2', '3'])).toEqual([undefined, 'set', 9])
    })

    it('R4 a tag that was invalidated during the load keeps all results out', async () => {
      const { cache } = open()
      const load = new GatedLoad<[string, number][]>()
      const many = cache.getOrSetMany(['1', '2'], load.loader, { tags: ['t'] })
      await load.started()
      await cache.deleteByTag('t')
      load.end([
        ['1', 1],
        ['2', 4],
      ])
      await many
      await settled()
      expect(await cache.getMany(['1', '2'])).toEqual([undefined, undefined])
    })

    it('R24 the load stops only when all callers of all its keys have left', async () => {
      const { cache } = open()
      const controller = new AbortController()
      const load = new GatedLoad<[string, number][]>()
      let signal: AbortSignal | undefined
      const many = codeOf(
        cache.getOrSetMany(
          ['1', '2'],
          (_, context) => {
            signal = context.signal
            return load.loader()
          },
          { signal: controller.signal },
        ),
      )
      await load.started()
      const other = new AbortController()
      const single = codeOf(cache.getOrSet('2', () => 0, { signal: other.signal }))
      await settled()
      controller.abort()
      expect(await many).toBe('ABORTED')
      expect(signal?.aborted).toBe(false)
      other.abort()
      expect(await single).toBe('ABORTED')
      expect(signal?.aborted).toBe(true)
    })

    it('invalid options are refused before the first look-up', async () => {
      const { cache } = open()
      const { loader, asked } = squares()
      for (const options of [null, { ttl: -1 }, { wrong: 1 }, { readFailure: 'maybe' }, { tags: 'a' }])
        expect(await codeOf(cache.getOrSetMany(['1'], loader, options as never))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(cache.getOrSetMany([], loader, { wrong: 1 } as never))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(cache.getOrSetMany([1] as never, loader))).toBe('INVALID_ARGUMENT')
      expect(await codeOf(cache.getOrSetMany(['1'], 'load' as never))).toBe('INVALID_ARGUMENT')
      expect(asked).toEqual([])
      expect((await cache.stats()).misses).toBe(0)
    })
  })
}

describe('getOrSetMany across processes', () => {
  it('the backend receives one call for all keys', async () => {
    const { cache, far } = twoProcesses()
    await cache.setMany([
      ['1', 'a'],
      ['2', 'b'],
    ])
    far.calls.length = 0
    await cache.getOrSetMany(['1', '2'], squares().loader)
    expect(far.calls).toEqual(['getMany 1,2'])
  })

  it('R41 a failing backend leads to a load, or to a handled rejection with readFailure reject', async () => {
    const { cache, far } = twoProcesses()
    far.broken = true
    const { loader, asked } = squares()
    expect(await cache.getOrSetMany(['1', '2'], loader)).toEqual([1, 4])
    expect(asked).toEqual([['1', '2']])
    expect(await codeOf(cache.getOrSetMany(['1', '2'], loader, { readFailure: 'reject' }))).toBe('UNAVAILABLE')
    const aborted = { readFailure: 'reject', signal: AbortSignal.abort() } as const
    expect(await codeOf(cache.getOrSetMany(['1', '2'], loader, aborted))).toBe('ABORTED')
    const load = new GatedLoad<number>()
    const single = cache.getOrSet('3', load.loader)
    await load.started()
    const joined = cache.getOrSetMany(['3'], loader, { readFailure: 'reject' })
    await settled()
    load.end(9)
    expect(await single).toBe(9)
    expect(await joined).toEqual([9])
    await settled()
  })

  it('R19 a batch with lock loads the free keys at once, and takes the others from the process that loads them', async () => {
    const { cache, other, clock } = twoProcesses({ lock: true })
    const load = new GatedLoad<number>()
    const single = other.getOrSet('2', load.loader)
    await load.started()
    const { loader, asked } = squares()
    const many = cache.getOrSetMany(['1', '2', '3'], loader)
    await settled()
    expect(asked).toEqual([['1', '3']])
    load.end(-4)
    expect(await single).toBe(-4)
    clock.advance(250)
    expect(await many).toEqual([1, -4, 9])
    expect(asked).toEqual([['1', '3']])
  })

  it('R19 two batches with lock never wait for each other, although their keys are the same', async () => {
    const { cache, other, clock } = twoProcesses({ lock: true })
    const one = squares()
    const two = squares()
    const both = [
      cache.getOrSetMany(['1', '2', '3', '4'], one.loader),
      other.getOrSetMany(['4', '3', '2', '1'], two.loader),
    ]
    let done = 0
    for (const many of both)
      void many.then(() => {
        done += 1
      })
    for (let turn = 0; turn < 20 && done < 2; turn += 1) {
      await settled()
      clock.advance(50)
    }
    expect(done).toBe(2)
    expect(await both[0]).toEqual([1, 4, 9, 16])
    expect(await both[1]).toEqual([16, 9, 4, 1])
    expect([...one.asked, ...two.asked].flat().sort()).toEqual(['1', '2', '3', '4'])
  })

  it('R19 a batch with lock loads a key whose holder died by itself', async () => {
    const { cache, other, otherFar, clock } = twoProcesses({ lock: true })
    const dead = new GatedLoad<number>()
    void other.getOrSet('2', dead.loader)
    await dead.started()
    otherFar.broken = true
    const { loader, asked } = squares()
    const many = cache.getOrSetMany(['1', '2'], loader)
    for (let waited = 0; waited < 12_000; waited += 250) {
      await settled()
      clock.advance(250)
    }
    expect(await many).toEqual([1, 4])
    expect(asked).toEqual([['1'], ['2']])
  })
})
