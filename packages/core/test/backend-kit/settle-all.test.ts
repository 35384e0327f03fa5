import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { callAll, isPromise, settleAll } from '../../src/backend-kit/index.ts'
import { deferred, settlesNow } from './deferred.ts'

describe('settleAll', () => {
  it('resolves to the results in the order of the calls', async () => {
    const [slow, fast] = [deferred<string>(), deferred<string>()]
    const all = settleAll([slow.promise, fast.promise, 'there'])
    fast.resolve('fast')
    slow.resolve('slow')
    assert.deepEqual(await all, ['slow', 'fast', 'there'])
  })

  it('rejects with the first failure in order, and only after every call has settled', async () => {
    const [first, second, third] = [deferred<void>(), deferred<void>(), deferred<void>()]
    const all = settleAll([first.promise, second.promise, third.promise])
    third.reject(new Error('third'))
    second.reject(new Error('second'))
    assert.equal(await settlesNow(all), false)
    first.resolve()
    await assert.rejects(all, /^Error: second$/)
  })
})

describe('callAll', () => {
  it('gives the results at once when no call returns a promise', () => {
    assert.deepEqual(
      callAll([1, 2], (n) => n * 10),
      [10, 20],
    )
    assert.deepEqual(
      callAll([], () => 1),
      [],
    )
  })

  it('waits for every call when one of them returns a promise', async () => {
    const results = callAll([1, 2], (n) => (n === 1 ? n : Promise.resolve(n)))
    assert(isPromise(results))
    assert.deepEqual(await results, [1, 2])
  })

  it('throws at once when a call throws and none is running', () => {
    assert.throws(
      () =>
        callAll([1], () => {
          throw new Error('thrown')
        }),
      /^Error: thrown$/,
    )
  })

  it('lets running calls settle when a later call throws, and reports the first failure', async () => {
    const running = deferred<number>()
    const calls: number[] = []
    const all = callAll([1, 2, 3], (n) => {
      calls.push(n)
      if (n === 2) throw new Error('thrown')
      return running.promise
    }) as Promise<number[]>
    assert.deepEqual(calls, [1, 2])
    assert.equal(await settlesNow(all), false)
    running.resolve(1)
    await assert.rejects(all, /^Error: thrown$/)
  })
})
