import { expect, expectTypeOf, it } from 'vitest'
import { Cache, type CacheLike, type Entries, SyncCache, type SyncCacheLike } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { codeOf } from './rig.ts'

interface User {
  readonly id: string
  readonly name: string
}

const ada: User = { id: '1', name: 'Ada' }

async function findUser(id: string): Promise<User | undefined> {
  return id === ada.id ? ada : undefined
}

async function loadUser(): Promise<User> {
  return ada
}

function cacheOf<Value>(): Cache<Value> {
  return new Cache<Value>({ backend: new MapBackend() })
}

function syncCacheOf<Value>(): SyncCache<Value> {
  return new SyncCache<Value>({ backend: new SyncMapBackend() })
}

it('the type of a getOrSet includes undefined where the loader may return it', async () => {
  const open = cacheOf<unknown>()
  const users = cacheOf<User>()
  expectTypeOf(open.getOrSet('1', () => findUser('1'))).toEqualTypeOf<Promise<User | undefined>>()
  expectTypeOf(open.getOrSet('1', () => loadUser())).toEqualTypeOf<Promise<User>>()
  expectTypeOf(users.getOrSet('1', () => findUser('1'))).toEqualTypeOf<Promise<User | undefined>>()
  expectTypeOf(users.getOrSet('1', loadUser)).toEqualTypeOf<Promise<User>>()
  expectTypeOf(open.getOrSet<User>('1', () => findUser('1'))).toEqualTypeOf<Promise<User | undefined>>()
  expectTypeOf(
    open.getOrSet('1', (load) => (load.stale === undefined ? loadUser() : load.notModified())),
  ).toEqualTypeOf<Promise<User>>()
  expect(await users.getOrSet('2', () => findUser('2'))).toBe(undefined)
  const sync = syncCacheOf<User>()
  const found: User | undefined = ada
  expectTypeOf(sync.getOrSet('1', () => found as User | undefined)).toEqualTypeOf<User | undefined>()
  expectTypeOf(sync.getOrSet('1', () => ada)).toEqualTypeOf<User>()
})

it('a literal result of a loader has the type of the cache', async () => {
  const texts = cacheOf<string>()
  expectTypeOf(texts.getOrSet('k', () => 'a')).toEqualTypeOf<Promise<string>>()
  expectTypeOf(texts.getOrSet('k', async () => 'a')).toEqualTypeOf<Promise<string>>()
  expectTypeOf(texts.update('k', () => 'a')).toEqualTypeOf<Promise<string | undefined>>()
  expectTypeOf(texts.wrap(() => 'a', { key: 'f' })()).toEqualTypeOf<Promise<string>>()
  expectTypeOf(texts.getOrSet<'a' | 'b'>('k', () => 'a')).toEqualTypeOf<Promise<'a' | 'b'>>()
  expectTypeOf(cacheOf<unknown>().getOrSet('k', () => 'a')).toEqualTypeOf<Promise<string>>()
  expectTypeOf(syncCacheOf<string>().getOrSet('k', () => 'a')).toEqualTypeOf<string>()
  expect(await texts.getOrSet('k', () => 'a')).toBe('a')
})

it('a loader of another type does not compile', () => {
  const users = cacheOf<User>()
  const calls = [
    // @ts-expect-error: a number is no user
    () => users.getOrSet('1', () => 5),
    // @ts-expect-error: a string is no user
    () => users.getOrSet<string>('1', () => 'a'),
    // @ts-expect-error: numbers are no users
    () => users.getOrSetMany(['1'], async (keys) => keys.map((key) => [key, 1])),
    // @ts-expect-error: numbers are no users
    () => users.getOrSetMany(['1'], async (keys) => keys.map(() => 1)),
    // @ts-expect-error: a number is no user
    () => users.update('1', () => 5),
    // @ts-expect-error: a function that returns numbers
    () => users.wrap(async (id: string) => id.length, { key: 'length' }),
    // @ts-expect-error: the same for a synchronous cache
    () => syncCacheOf<User>().wrap((id: string) => id.length, { key: 'length' }),
    // @ts-expect-error: the same for a synchronous cache
    () => syncCacheOf<User>().getOrSet('1', () => 5),
  ]
  expect(calls).toHaveLength(8)
})

it('a batch loader returns pairs, an object, or values in the order of the keys', async () => {
  const users = cacheOf<User>()
  const named = (id: string): User => ({ id, name: `user ${id}` })
  const expected = [named('1'), named('2')]
  const rows = async (keys: readonly string[]): Promise<User[]> => keys.map(named)
  const typed = (calls: Promise<(User | undefined)[]>): Promise<(User | undefined)[]> => calls
  const keys = ['1', '2']
  const results = [
    users.getOrSetMany(keys, async (missing) => (await rows(missing)).map((user) => [user.id, user])),
    users.getOrSetMany(keys, async (missing) => new Map((await rows(missing)).map((user) => [user.id, user]))),
    users.getOrSetMany(keys, (missing) => Object.fromEntries(missing.map((id) => [id, named(id)]))),
    users.getOrSetMany(keys, (missing) => rows(missing)),
    users.getOrSetMany(keys, (missing) => missing.map(async (id) => named(id))),
    users.getOrSetMany(keys, async (missing, { inOrder }) => inOrder(await rows(missing))),
    typed(
      cacheOf<unknown>().getOrSetMany(keys, async (missing) => (await rows(missing)).map((user) => [user.id, user])),
    ),
    typed(
      cacheOf<unknown>().getOrSetMany(keys, async (): Promise<Entries<User>> => ({ 1: named('1'), 2: named('2') })),
    ),
    typed(cacheOf<unknown>().getOrSetMany(keys, (missing) => missing.map(named))),
  ]
  for (const result of results) expect(await result).toEqual(expected)
})

it('values in the order of the keys may be missing or arrays', async () => {
  const lists = cacheOf<string[]>()
  expect(await lists.getOrSetMany(['a', 'b'], (keys, { inOrder }) => inOrder(keys.map((key) => [key, key])))).toEqual([
    ['a', 'a'],
    ['b', 'b'],
  ])
  const users = cacheOf<User>()
  expect(await users.getOrSetMany(['1', '2'], (keys) => keys.map(findUser))).toEqual([ada, undefined])
  expect(await users.keys().next()).toEqual({ done: false, value: '1' })
  const sync = syncCacheOf<User>()
  expect(sync.getOrSetMany(['1', '2'], () => [ada, undefined])).toEqual([ada, undefined])
  expect(sync.getOrSetMany(['1', '3'], (keys, { inOrder }) => inOrder(keys.map(() => ada)))).toEqual([ada, ada])
})

it('a batch result with a wrong number of values is refused', async () => {
  const users = cacheOf<User>()
  expect(await codeOf(users.getOrSetMany(['1', '2'], () => [ada]))).toBe('INVALID_ARGUMENT')
  expect(await codeOf(users.getOrSetMany(['1', '2'], (_, { inOrder }) => inOrder([ada, ada, ada])))).toBe(
    'INVALID_ARGUMENT',
  )
  expect(() => syncCacheOf<User>().getOrSetMany(['1', '2'], () => [ada])).toThrow(
    'getOrSetMany: the result of the loader must be pairs [key, value], an object, or 2 values in the order of the keys, but was an array of 1',
  )
})

it('a wrapped function of a typed cache may return undefined', async () => {
  const users = cacheOf<User>()
  const user = users.wrap(findUser, { key: 'user' })
  expectTypeOf(user('1')).toEqualTypeOf<Promise<User | undefined>>()
  expect(await user('1')).toEqual(ada)
  expect(await user('2')).toBe(undefined)
})

it('an interface has the methods of a cache, so that other classes can implement it', async () => {
  const real: CacheLike<User> = cacheOf<User>()
  const realSync: SyncCacheLike<User> = syncCacheOf<User>()
  class Double implements Pick<CacheLike<User>, 'get' | 'namespace'> {
    get<T extends User = User>(): Promise<T | undefined> {
      return Promise.resolve(ada as T)
    }
    namespace<T extends User = User>(): CacheLike<T> {
      return this as unknown as CacheLike<T>
    }
  }
  const nameOf = async (cache: Pick<CacheLike<User>, 'get'>): Promise<string | undefined> =>
    (await cache.get('1'))?.name
  expect(await nameOf(new Double())).toBe('Ada')
  expect(await nameOf(real)).toBe(undefined)
  expect(realSync.get('1')).toBe(undefined)
})
