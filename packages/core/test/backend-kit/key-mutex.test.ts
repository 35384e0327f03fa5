import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { isPromise, KeyMutex } from '../../src/backend-kit/index.ts'
import { deferred, settlesNow } from './deferred.ts'

describe('a mutex for each key', () => {
  it('is taken at once while the key is free', () => {
    const mutex = new KeyMutex()
    const release = mutex.take('a')
    assert(!isPromise(release))
    assert(mutex.has('a'))
    assert(!isPromise(mutex.take('b')))
    assert.equal(mutex.size, 2)
    release()
    assert(!mutex.has('a'))
    assert.equal(mutex.size, 1)
  })

  it('passes the key on in the order of the requests', async () => {
    const mutex = new KeyMutex()
    const order: number[] = []
    const first = mutex.take('k') as () => void
    const later = [1, 2, 3].map(async (n) => {
      const release = await mutex.take('k')
      order.push(n)
      release()
    })
    assert.equal(await settlesNow(Promise.race(later)), false)
    first()
    await Promise.all(later)
    assert.deepEqual(order, [1, 2, 3])
    assert.equal(mutex.size, 0)
  })

  it('is not freed a second time by a second release', async () => {
    const mutex = new KeyMutex()
    const first = mutex.take('k') as () => void
    first()
    const second = mutex.take('k') as () => void
    first()
    assert(mutex.has('k'))
    assert(isPromise(mutex.take('k')))
    second()
  })

  it('runs work at once on a free key, and after the earlier work on a held one', async () => {
    const mutex = new KeyMutex()
    const held = deferred<string>()
    const started: string[] = []
    const first = mutex.run('k', () => {
      started.push('first')
      return held.promise
    })
    const second = mutex.run('k', () => {
      started.push('second')
      return 'second'
    })
    const other = mutex.run('other', () => {
      started.push('other')
    })
    assert.deepEqual(started, ['first', 'other'])
    await other
    assert.equal(await settlesNow(second), false)
    held.resolve('done')
    assert.equal(await first, 'done')
    assert.equal(await second, 'second')
    assert.equal(mutex.size, 0)
  })

  it('is released by work that throws or rejects', async () => {
    const mutex = new KeyMutex()
    const thrown = mutex.run('k', () => {
      throw new Error('thrown')
    })
    const rejected = mutex.run('k', async () => {
      throw new Error('rejected')
    })
    await assert.rejects(thrown, /^Error: thrown$/)
    await assert.rejects(rejected, /^Error: rejected$/)
    assert.equal(await mutex.run('k', () => 'works'), 'works')
    assert.equal(mutex.size, 0)
  })
})
