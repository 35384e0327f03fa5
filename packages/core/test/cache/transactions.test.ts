import { describe, expect, it } from 'vitest'
import { createMovableClock, type MovableClock } from '../../src/conformance/index.ts'
import { Cache, type CacheBackend, CacheError, type CacheOptions, type Item } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { codeOf, GatedLoad } from './rig.ts'

/** The transaction of the application: its changes wait for the commit. */
class Transaction {
  readonly changes: (() => void)[] = []

  commit(): void {
    for (const change of this.changes.splice(0)) change()
  }

  rollBack(): void {
    this.changes.length = 0
  }
}

/** A store that other processes may share, with transactions for invalidations. */
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
  it('a delete takes effect with the commit of the transaction, and not before', async () => {
    const { cache, transaction } = openCache()
    await cache.set('k', 'old')
    expect(await cache.inTransaction(transaction).delete('k')).toBe(true)
    expect(await cache.get('k')).toBe('old')
    transaction.commit()
    expect(await cache.get('k')).toBe(undefined)
  })

  it('a tag invalidation takes effect with the commit, and not after a rollback', async () => {
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

  it('the transaction view has the namespace of its cache', async () => {
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
    it(`R2 a caller after ${what} never joins an earlier load`, async () => {
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

  it('a load inside is not shared with callers outside, nor the reverse', async () => {
    const { cache, transaction } = openCache()
    const inside = new GatedLoad<string>()
    const loading = cache.inTransaction(transaction).getOrSet('k', inside.loader)
    await inside.started()
    expect(await cache.getOrSet('k', () => 'outside')).toBe('outside')
    inside.end('uncommitted')
    expect(await loading).toBe('uncommitted')
  })

  it('its changes count and are emitted as those of its cache', async () => {
    const { cache, transaction } = openCache()
    await cache.set('k', 1)
    const emitted: string[] = []
    cache.on('delete', ({ key }) => emitted.push(key))
    await cache.inTransaction(transaction).delete('k')
    expect([emitted, (await cache.stats()).deletes]).toEqual([['k'], 1])
  })

  it('backend events reach its listeners as those of its cache', async () => {
    const requested: (readonly string[] | undefined)[] = []
    const backend = Object.assign(new TransactionalBackend(createMovableClock()), {
      listen: (_listener: unknown, types?: readonly string[]) => {
        requested.push(types)
        return () => {}
      },
    })
    new Cache({ backend }).inTransaction(new Transaction()).on('evict', () => {})
    expect(requested).toEqual([['error'], ['evict']])
  })

  it('R4 clear is refused, because it could not keep out loads of missing keys', async () => {
    const { cache, transaction } = openCache()
    const inside = cache.inTransaction(transaction)
    expect([await codeOf(inside.clear()), await codeOf(inside.deleteByPrefix('k'))]).toEqual([
      'UNSUPPORTED',
      'UNSUPPORTED',
    ])
    expect(transaction.changes).toEqual([])
  })

  it('the transaction view ends when its cache is closed', async () => {
    const { cache, transaction } = openCache()
    const inside = cache.inTransaction(transaction)
    await cache.close()
    const calls = [inside.get('k'), inside.getOrSet('k', () => 1), inside.delete('k')]
    expect(await Promise.all(calls.map(codeOf))).toEqual(['CLOSED', 'CLOSED', 'CLOSED'])
    expect(transaction.changes).toEqual([])
  })

  it('close of the transaction view leaves its cache open', async () => {
    const { cache, transaction } = openCache()
    const inside = cache.inTransaction(transaction)
    await inside.close()
    expect(await codeOf(inside.delete('k'))).toBe('CLOSED')
    expect(await cache.get('k')).toBe(undefined)
  })

  it('an invalid transaction, a backend without transactions and a cache with a writer are refused', async () => {
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
