import { describe, expect, it } from 'vitest'
import { createMovableClock, type MovableClock } from '../../src/conformance/index.ts'
import { createRandom, type Random } from '../../src/conformance/samples/random.ts'
import { Cache, type CacheBackend, type Item, type LoadContext } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'

/** Waits for a random number of microtasks. */
async function turns(random: Random, most: number): Promise<void> {
  for (let turn = random.below(most + 1); turn > 0; turn -= 1) await Promise.resolve()
}

/** A store whose every call takes a random time on the way there and on the way back. */
function slow(inner: CacheBackend, random: Random, compares: boolean): CacheBackend {
  const late = async <T>(work: () => Promise<T>): Promise<T> => {
    await turns(random, 8)
    const answer = await work()
    await turns(random, 8)
    return answer
  }
  const four: CacheBackend = {
    name: 'slow',
    get: (key) => late(() => inner.get(key)),
    set: (item) => late(() => inner.set(item)),
    delete: (key) => late(() => inner.delete(key)),
    clear: (prefix) => late(() => inner.clear(prefix)),
  }
  if (!compares) return four
  return {
    ...four,
    compareAndSet: (key: string, expected: string | undefined, next: Item | undefined) =>
      late(async () => (await inner.compareAndSet?.(key, expected, next)) ?? false),
  }
}

interface Place {
  readonly random: Random
  readonly caches: readonly Cache[]
  /** The version of each key in the database. */
  readonly source: Map<string, number>
  /** The version of each key that reads which begin from now on must see. */
  readonly acknowledged: Map<string, number>
  /** Advances while the operations run, if given. */
  readonly clock: MovableClock | undefined
}

const keys = ['a', 'b']

/** Changes the database, then the cache by a random method. After its acknowledgement, no older version may be read. */
async function change({ random, caches, source, acknowledged }: Place, key: string): Promise<void> {
  const version = (source.get(key) ?? 0) + 1
  source.set(key, version)
  const cache = random.pick(caches)
  const tags = [`tag ${key}`, 'another']
  const ways: (() => Promise<unknown>)[] = [
    () => cache.delete(key),
    () => cache.deleteMany([key, 'other']),
    () => cache.deleteByTag(`tag ${key}`),
    () => cache.deleteByTag('another'),
    () => cache.deleteByPrefix(key),
    () => cache.clear(),
    () => cache.set(key, version, { tags }),
    () => cache.setMany([[key, version]], { tags }),
  ]
  await random.pick(ways)()
  acknowledged.set(key, version)
}

/** Loads a key: the loader reads the database at a random moment and returns at another. Resolves to its result. */
async function load({ random, caches, source }: Place, key: string): Promise<number> {
  const late = random.below(2) === 0
  const loader = async (context: LoadContext): Promise<number> => {
    await turns(random, 10)
    const version = source.get(key) ?? 0
    if (late) context.tags = [`tag ${key}`, 'another']
    await turns(random, 20)
    return version
  }
  const cache = random.pick(caches)
  const tagged = late ? {} : { tags: [`tag ${key}`, 'another'] }
  // The options determine whether look-ups are shared.
  const options = random.pick([tagged, { ...tagged, timeout: '1m' }, { ...tagged, forceRefresh: true }] as const)
  return await cache.getOrSet(key, loader, options)
}

/** The reads that saw an older version than the one acknowledged when they began. */
async function trial(place: Place): Promise<string[]> {
  const { random, caches, acknowledged, clock } = place
  const wrong: string[] = []
  const read = async (key: string): Promise<void> => {
    const least = acknowledged.get(key) ?? 0
    const seen = await random.pick(caches).get<number>(key)
    if (seen !== undefined && seen < least) wrong.push(`${key}: ${seen} after ${least} was acknowledged`)
  }
  const join = async (key: string): Promise<void> => {
    const least = acknowledged.get(key) ?? 0
    const seen = await load(place, key)
    if (seen < least) wrong.push(`${key}: loaded ${seen} after ${least} was acknowledged`)
  }
  const actor = async (act: () => Promise<void>, times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) {
      await turns(random, 15)
      await act()
    }
  }
  const work = Promise.all([
    ...keys.map((key) => actor(() => change(place, key), 4)),
    ...keys.flatMap((key) => [actor(() => join(key), 5), actor(() => join(key), 5)]),
    ...keys.map((key) => actor(() => read(key), 12)),
  ])
  let working = true
  const end = (): void => {
    working = false
  }
  work.then(end, end)
  while (working && clock !== undefined) {
    await turns(random, 6)
    clock.advance(random.below(4))
  }
  await work
  for (const key of keys) await read(key)
  return wrong
}

/** Runs the trials, each with its own seed. */
async function trials(
  count: number,
  open: (random: Random) => readonly Cache[],
  clock?: MovableClock,
): Promise<string[]> {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
  const wrong: string[] = []
  for (let index = 0; index < count; index += 1) {
    const random = createRandom(seed + index)
    const caches = open(random)
    const found = await trial({ random, caches, source: new Map(), acknowledged: new Map(), clock })
    wrong.push(...found.map((what) => `SEED=${seed + index} ${what}`))
  }
  return wrong
}

describe('random orders of the steps of loads, changes and reads', () => {
  it('R1 R2 R3 R4 R5 no read and no load in three processes returns a value replaced before it began (seeded)', async () => {
    const open = (random: Random): Cache[] => {
      const items = new Map<string, Item>()
      return [1, 2, 3].map(() => new Cache({ backend: slow(new MapBackend({ items }), random, true), ttl: Infinity }))
    }
    expect(await trials(1500, open)).toEqual([])
  }, 60_000)

  it('R1 R2 R3 R4 R5 the rule holds while values become stale, are renewed and expire, with and without lock (seeded)', async () => {
    const clock = createMovableClock()
    const open = (random: Random): Cache[] => {
      const items = new Map<string, Item>()
      const options = {
        clock,
        ttl: 40 + random.below(100),
        staleFor: random.pick([0, 30, 200]),
        softTimeout: random.pick([0, 20, Infinity]),
        refreshAhead: random.pick([1, 0.5, 0.1]),
        lock: random.below(3) === 0,
      }
      return [1, 2, 3].map(() => {
        const backend = slow(new MapBackend({ items, clock }), random, true)
        return new Cache({ backend, ...options })
      })
    }
    expect(await trials(1000, open, clock)).toEqual([])
  }, 60_000)

  it('R1 R2 R4 R5 the rule holds in one process without compare-and-set (seeded)', async () => {
    const open = (random: Random): Cache[] => {
      const backend = slow(new MapBackend(), random, false)
      return [new Cache({ backend, ttl: Infinity }), new Cache({ backend, ttl: Infinity })]
    }
    expect(await trials(1500, open)).toEqual([])
  }, 60_000)

  it('R1 R2 R4 R5 the rule holds on a store that answers at once (seeded)', async () => {
    const open = (): Cache[] => {
      const backend = new MapBackend()
      return [new Cache({ backend, ttl: Infinity }), new Cache({ backend, ttl: Infinity })]
    }
    expect(await trials(1500, open)).toEqual([])
  }, 60_000)
})
