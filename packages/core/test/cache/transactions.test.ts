import { describe, expect, it } from 'vitest'
import { createMovableClock, type MovableClock } from '../../src/conformance/index.ts'
import { Cache, type CacheBackend, CacheError, type CacheOptions, type Item } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { codeOf, GatedLoad } from './rig.ts'

/** The application's transaction: what is changed in it waits for the commit. */
class Transaction {
  readonly changes: (() => void)[] = []

  commit(): void {
    for (const change of this.changes.splice(0)) change()
  }

  rollBack(): void {
    this.changes.length = 0
  }
}

/** A store with transactions, as far as invalidating goes; nothing about it is local to this process. */
class TransactionalBackend implements CacheBackend {
  readonly name = 'transactional'
  readonly #store: MapBackend

  constructor(clock: MovableClock) {
    this.#store = new MapBackend({ clock })
  }

  readonly get = (key: string): Promise<Item | undefined> => this.#store.get(key)
  readonly set = (item: Item): Promise<void> => this.#store.set(item)
  readonly delete = (key: string): Promise<boolean> => this.#store.delete(key)
  readonly clear = (prefix?: string): Promise<void> => this.#store.clear(prefix)
  readonly compareAndSet = (key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> =>
    this.#store.compareAndSet(key, expected, next)

  inTransaction(transaction: unknown): CacheBackend {
    if (!(transaction instanceof Transaction)) {
      throw new CacheError('INVALID_ARGUMENT', 'inTransaction: transaction must be a Transaction')
    }
    const { sync } = this.#store
    return {
      name: this.name,
      get: this.get,
      set: async (item) => void transaction.changes.push(() => sync.set(item)),
      delete: async (key) => {
        transaction.changes.push(() => sync.delete(key))
        return sync.get(key)?.value !== undefined
      },
      clear: async (prefix) => void transaction.changes.push(() => sync.clear(prefix)),
      compareAndSet: this.compareAndSet,
    }
  }
}

function openCache(options: Partial<CacheOptions> = {}): { cache: Cache; transaction: Transaction } {
  const clock = createMovableClock()
  const cache = new Cache({ backend: new TransactionalBackend(clock), clock, ttl: '1m', ...options })
  return { cache, transaction: new Transaction() }
}

describe('Cache.inTransaction', () => {
  it('deletes with the commit of the transaction, and not before', async () => {
    const { cache, transaction } = openCache()
    await cache.set('k', 'old')
    expect(await cache.inTransaction(transaction).delete('k')).toBe(true)
    expect(await cache.get('k')).toBe('old')
    transaction.commit()
    expect(await cache.get('k')).toBe(undefined)
  })

  it('invalidates tags with the commit, and not when it is rolled back', async () => {
    const { cache, transaction } = openCache()
    await cache.set('k', 'old', { tags: ['t'] })
    await cache.inTransaction(transaction).deleteByTag('t')
    transaction.rollBack()
    expect(await cache.get('k')).toBe('old')
    await cache.inTransaction(transaction).deleteByTag('t')
    expect(await cache.get('k')).toBe('old')
    transaction.commit()
    expect(await cache.get('k')).toBe(undefined)
  })

  it('keeps to the namespace that it was asked of', async () => {
    const { cache, transaction } = openCache({ namespace: 'app' })
    const users = cache.namespace('users')
    await users.set('42', 'user')
    await cache.set('42', 'other')
    await users.inTransaction(transaction).delete('42')
    transaction.commit()
    expect([await users.get('42'), await cache.get('42')]).toEqual([undefined, 'other'])
  })

  for (const [what, remove] of Object.entries({
    delete: (cache: Cache) => cache.delete('k'),
    deleteByTag: (cache: Cache) => cache.deleteByTag('t'),
  })) {
    it(`lets nobody join a load that began before ${what} (R2)`, async () => {
      const { cache, transaction } = openCache()
      const before = new GatedLoad<string>()
      const after = new GatedLoad<string>()
      const early = cache.getOrSet('k', before.loader, { tags: ['t'] })
      await before.started()
      await remove(cache.inTransaction(transaction))
      transaction.commit()
      const late = cache.getOrSet('k', after.loader, { tags: ['t'] })
      await after.started()
      after.end('new')
      before.end('old')
      expect([await early, await late]).toEqual(['old', 'new'])
      expect(await cache.get('k')).toBe('new')
    })
  }

  it('shows nobody outside what is loaded inside, nor the other way round', async () => {
    const { cache, transaction } = openCache()
    const inside = new GatedLoad<string>()
    const loading = cache.inTransaction(transaction).getOrSet('k', inside.loader)
    await inside.started()
    expect(await cache.getOrSet('k', () => 'outside')).toBe('outside')
    inside.end('uncommitted')
    expect(await loading).toBe('uncommitted')
  })

  it('counts and tells what it does as the cache that it belongs to', async () => {
    const { cache, transaction } = openCache()
    await cache.set('k', 1)
    const told: string[] = []
    cache.on('delete', ({ key }) => told.push(key))
    await cache.inTransaction(transaction).delete('k')
    expect([told, (await cache.stats()).deletes]).toEqual([['k'], 1])
  })

  it('hears what the backend tells, as the cache that it belongs to', async () => {
    const heard: (readonly string[] | undefined)[] = []
    const backend = Object.assign(new TransactionalBackend(createMovableClock()), {
      listen: (_listener: unknown, types?: readonly string[]) => {
        heard.push(types)
        return () => {}
      },
    })
    new Cache({ backend }).inTransaction(new Transaction()).on('evict', () => {})
    expect(heard).toEqual([['error'], ['evict']])
  })

  it('refuses to clear, which could not keep out loads of keys that are not there (R4)', async () => {
    const { cache, transaction } = openCache()
    const inside = cache.inTransaction(transaction)
    expect([await codeOf(inside.clear()), await codeOf(inside.deleteByPrefix('k'))]).toEqual([
      'UNSUPPORTED',
      'UNSUPPORTED',
    ])
    expect(transaction.changes).toEqual([])
  })

  it('ends with the cache that it belongs to', async () => {
    const { cache, transaction } = openCache()
    const inside = cache.inTransaction(transaction)
    await cache.close()
    const calls = [inside.get('k'), inside.getOrSet('k', () => 1), inside.delete('k')]
    expect(await Promise.all(calls.map(codeOf))).toEqual(['CLOSED', 'CLOSED', 'CLOSED'])
    expect(transaction.changes).toEqual([])
  })

  it('leaves the cache open when it is closed', async () => {
    const { cache, transaction } = openCache()
    const inside = cache.inTransaction(transaction)
    await inside.close()
    expect(await codeOf(inside.delete('k'))).toBe('CLOSED')
    expect(await cache.get('k')).toBe(undefined)
  })

  it('refuses what is no transaction, a backend without transactions, and a cache that writes to the database itself', async () => {
    const { cache } = openCache()
    const plain = new Cache({ backend: new MapBackend(), ttl: '1m' })
    const writing = openCache({ writer: { write: async () => {}, delete: async () => {} } })
    const codes = [
      () => cache.inTransaction('begin'),
      () => plain.inTransaction(new Transaction()),
      () => writing.cache.inTransaction(writing.transaction),
    ].map((call) => codeOf(Promise.resolve().then(call)))
    expect(await Promise.all(codes)).toEqual(['INVALID_ARGUMENT', 'UNSUPPORTED', 'UNSUPPORTED'])
    await cache.close()
    expect(await codeOf(Promise.resolve().then(() => cache.inTransaction(new Transaction())))).toBe('CLOSED')
  })
})
