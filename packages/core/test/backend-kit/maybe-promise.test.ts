import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { chain, isPromise, promiseOf } from '../../src/backend-kit/index.ts'

describe('a value that may be a promise', () => {
  it('counts as a promise when it has a `then` method, and only then', () => {
    const having = (then: unknown): unknown => Object.fromEntries([['then', then]])
    const thenable = having(() => {})
    for (const value of [Promise.resolve(1), thenable]) assert.equal(isPromise(value), true)
    for (const value of [undefined, null, 0, 'then', {}, having(1), []]) assert.equal(isPromise(value), false)
  })

  it('is chained at once when it is a value, without a promise', () => {
    assert.equal(
      chain(1, (value) => value + 1),
      2,
    )
  })

  it('is chained when it resolves, and `next` may return a promise', async () => {
    assert.equal(await chain(Promise.resolve(1), async (value) => value + 1), 2)
  })

  it('is no longer chained once it rejects', async () => {
    let calls = 0
    const chained = chain(Promise.reject(new Error('first')), () => {
      calls += 1
    })
    await assert.rejects(async () => chained, /^Error: first$/)
    assert.equal(calls, 0)
  })

  it('becomes a promise, and a synchronous throw a rejection', async () => {
    assert.equal(await promiseOf(() => 1), 1)
    assert.equal(await promiseOf(async () => 2), 2)
    const failing = promiseOf(() => {
      throw new Error('thrown')
    })
    await assert.rejects(failing, /^Error: thrown$/)
  })
})
