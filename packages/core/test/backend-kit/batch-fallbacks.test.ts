import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { deleteMany, getMany, setMany } from '../../src/backend-kit/index.ts'
import type { CacheBackend, Item } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { SyncMapBackend } from '../conformance/sync-map-backend.ts'
import { deferred, settlesNow } from './deferred.ts'

const item = (key: string, value: unknown): Item => ({ key, value, version: `${key} ${value}`, createdAt: 0 })

/** The four required members only, with the calls that they got. */
function withoutBatches(backend: CacheBackend = new MapBackend()): { backend: CacheBackend; calls: string[] } {
  const calls: string[] = []
  const noted = <Result>(call: string, result: Promise<Result>): Promise<Result> => {
    calls.push(call)
    return result
  }
  return {
    calls,
    backend: {
      name: 'plain',
      get: (key) => noted(`get ${key}`, backend.get(key)),
      set: (one) => noted(`set ${one.key}`, backend.set(one)),
      delete: (key) => noted(`delete ${key}`, backend.delete(key)),
      clear: (prefix) => backend.clear(prefix),
    },
  }
}

describe('the batches of a backend that has them', () => {
  it('are called as they are', async () => {
    const calls: unknown[] = []
    const backend = {
      ...withoutBatches().backend,
      getMany: async (keys: readonly string[]) => {
        calls.push(keys)
        return []
      },
      setMany: async (items: readonly Item[]) => {
        calls.push(items)
      },
      deleteMany: async (keys: readonly string[]) => {
        calls.push(keys)
        return 7
      },
    }
    const [keys, items] = [['a', 'a'], [item('a', 1)]]
    await getMany(backend, keys)
    await setMany(backend, items)
    assert.equal(await deleteMany(backend, keys), 7)
    assert.deepEqual(calls, [keys, items, keys])
  })
})

describe('the batches of a backend without them', () => {
  it('read each different key once, and answer in the order of the keys', async () => {
    const { backend, calls } = withoutBatches()
    await backend.set(item('a', 1))
    await backend.set(item('b', 2))
    calls.length = 0
    const found = await getMany(backend, ['b', 'missing', 'a', 'b'])
    assert.deepEqual(
      found.map((one) => one?.value),
      [2, undefined, 1, 2],
    )
    assert.deepEqual(calls, ['get b', 'get missing', 'get a'])
  })

  it('store the last item of each key', async () => {
    const { backend, calls } = withoutBatches()
    await setMany(backend, [item('a', 'first'), item('b', 1), item('a', 'last')])
    assert.deepEqual(calls.sort(), ['set a', 'set b'])
    assert.equal((await backend.get('a'))?.value, 'last')
  })

  it('count each removed key once', async () => {
    const { backend } = withoutBatches()
    for (const key of ['a', 'b', 'c']) await backend.set(item(key, 1))
    assert.equal(await deleteMany(backend, ['a', 'missing', 'b', 'a']), 2)
    assert.deepEqual(await getMany(backend, ['a', 'b']), [undefined, undefined])
    assert.equal((await backend.get('c'))?.value, 1)
  })

  it('do nothing for no keys', async () => {
    const { backend, calls } = withoutBatches()
    assert.deepEqual(await getMany(backend, []), [])
    await setMany(backend, [])
    assert.equal(await deleteMany(backend, []), 0)
    assert.deepEqual(calls, [])
  })

  it('report a failure only after every call has settled', async () => {
    const slow = deferred<boolean>()
    const { backend } = withoutBatches()
    const failing: CacheBackend = {
      ...backend,
      delete: (key) => (key === 'slow' ? slow.promise : Promise.reject(new Error(`no ${key}`))),
    }
    const all = deleteMany(failing, ['a', 'slow', 'b'])
    assert.equal(await settlesNow(all), false)
    slow.resolve(true)
    await assert.rejects(all, /^Error: no a$/)
  })

  it('answer at once for a synchronous store', () => {
    const { get, set, delete: remove } = SyncMapBackend.prototype
    const store = new SyncMapBackend()
    const plain = { get: get.bind(store), set: set.bind(store), delete: remove.bind(store) }
    assert.equal(setMany(plain, [item('a', 1)]), undefined)
    assert.deepEqual(getMany(plain, ['a', 'b']), [item('a', 1), undefined])
    assert.equal(deleteMany(plain, ['a', 'b']), 1)
  })
})
