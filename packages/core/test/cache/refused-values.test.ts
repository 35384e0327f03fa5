import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BreakpointBackend } from '../../src/conformance/index.ts'
import type { Cache, SyncCache } from '../../src/index.ts'
import { CacheError, type Item } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'

function check(item: Item | undefined): void {
  if (item?.value instanceof Date) {
    throw new CacheError('NOT_STORABLE', 'no dates at value.at; store its time', { key: item.key, backend: 'picky' })
  }
}

/** A remote store. */
class PickyBackend extends BreakpointBackend {
  constructor() {
    super(new MapBackend(), 'picky')
  }

  override async set(item: Item): Promise<void> {
    check(item)
    await super.set(item)
  }

  override async setMany(items: readonly Item[]): Promise<void> {
    items.forEach(check)
    await super.setMany(items)
  }

  override async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    check(next)
    return super.compareAndSet(key, expected, next)
  }
}

/** A store in the process. */
class PickySyncBackend extends SyncMapBackend {
  override set(item: Item): void {
    check(item)
    super.set(item)
  }

  override setMany(items: readonly Item[]): void {
    items.forEach(check)
    super.setMany(items)
  }

  override compareAndSet(key: string, expected: string | undefined, next: Item | undefined): boolean {
    check(next)
    return super.compareAndSet(key, expected, next)
  }
}

class PickyLocalBackend extends MapBackend {
  override readonly sync = new PickySyncBackend()
}

const stores = [
  ['remote', () => new PickyBackend()],
  ['local', () => new PickyLocalBackend()],
] as const

const date = new Date(0)
const warnings: [string, unknown][] = []
let core: typeof import('../../src/index.ts')

beforeEach(async () => {
  // The warning appears once in a process, and here once in a copy of the module.
  vi.resetModules()
  core = await import('../../src/index.ts')
  warnings.length = 0
  vi.spyOn(process, 'emitWarning').mockImplementation((warning, options) => {
    warnings.push([String(warning), options])
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

const writes: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  set: (cache) => cache.set('k', date),
  'set with tags': (cache) => cache.set('k', date, { tags: ['t'] }),
  setMany: (cache) => cache.setMany({ k: date }),
  add: (cache) => cache.add('k', date),
  replace: async (cache) => {
    await cache.set('k', 1)
    await cache.replace('k', date)
  },
  update: (cache) => cache.update('k', () => date),
}

const loads: Readonly<Record<string, (cache: Cache) => Promise<unknown>>> = {
  getOrSet: (cache) => cache.getOrSet('k', () => date),
  wrap: (cache) => cache.wrap(async () => date, { key: () => 'k' })(),
  getOrSetMany: async (cache) => (await cache.getOrSetMany(['k'], () => ({ k: date })))[0],
}

describe.each(stores)('a value that a %s store refuses', (_, openStore) => {
  it.each(Object.keys(writes))('is one error event and one rejection of %s', async (name) => {
    const cache = new core.Cache({ backend: openStore(), name: 'prices' })
    const events: CacheError[] = []
    cache.on('error', ({ error }) => events.push(error))
    await expect(writes[name]?.(cache)).rejects.toMatchObject({ code: 'NOT_STORABLE' })
    expect(events.map(({ code, key }) => [code, key])).toEqual([['NOT_STORABLE', 'k']])
    expect((await cache.stats()).errors).toBe(1)
  })

  it.each(Object.keys(loads))('is one error event of %s, which resolves to the value', async (name) => {
    const cache = new core.Cache({ backend: openStore(), name: 'prices' })
    const events: CacheError[] = []
    cache.on('error', ({ error }) => events.push(error))
    expect(await loads[name]?.(cache)).toBe(date)
    await cache.close()
    expect(events.map(({ code }) => code)).toEqual(['NOT_STORABLE'])
  })

  it('causes one warning of the process, without a listener, with its path and advice and without its key', async () => {
    const cache = new core.Cache({ backend: openStore(), name: 'prices' })
    const other = new core.Cache({ backend: openStore() })
    await cache.set('secret', 1)
    expect(warnings).toEqual([])
    expect(await cache.getOrSet('secret key', () => date)).toBe(date)
    await cache.set('secret key', date).catch(() => {})
    await other.set('secret key', date).catch(() => {})
    expect(warnings).toEqual([
      [
        expect.stringMatching(/cache 'prices'.*no dates at value\.at; store its time/),
        { type: 'CacheWarning', code: 'NOT_STORABLE' },
      ],
    ])
    expect(warnings[0]?.[0]).not.toContain('secret')
  })
})

describe('a value that a store refuses', () => {
  it('is one error event of a SyncCache', () => {
    const cache: SyncCache = new core.SyncCache({ backend: new PickySyncBackend() })
    const codes: string[] = []
    cache.on('error', ({ error }) => codes.push(error.code))
    expect(() => cache.set('k', date)).toThrow(expect.objectContaining({ code: 'NOT_STORABLE' }))
    expect(cache.getOrSet('k', () => date)).toBe(date)
    expect(codes).toEqual(['NOT_STORABLE', 'NOT_STORABLE'])
  })

  it('causes no warning of another failure', async () => {
    class FullBackend extends BreakpointBackend {
      override async set(): Promise<void> {
        throw new CacheError('OUT_OF_MEMORY', 'full')
      }
    }
    const cache = new core.Cache({ backend: new FullBackend(new MapBackend()) })
    await expect(cache.set('k', 1)).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' })
    expect(warnings).toEqual([])
  })
})
