import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import { Lifecycle } from '../../src/backend-kit/index.ts'
import { deferred, settlesNow } from './deferred.ts'

describe('the lifecycle of a backend', () => {
  it('runs calls until it is closed, and refuses them from then on', async () => {
    const life = new Lifecycle('redis')
    assert.equal(await life.run('get', 'k', async () => 1), 1)
    life.refuseWhenClosed('get')
    assert.equal(life.isClosed, false)
    const closing = life.close(() => {})
    assert.equal(life.isClosed, true)
    let ran = false
    const refused = life.run('get', 'k', async () => {
      ran = true
    })
    const error = { code: 'CLOSED', operation: 'get', backend: 'redis', key: 'k' }
    await assert.rejects(refused, { ...error, message: "get: the backend 'redis' was closed; open another one" })
    assert.equal(ran, false)
    assert.throws(() => life.refuseWhenClosed('get', 'k'), error)
    await closing
  })

  it('names a bus as a bus', () => {
    assert.match(new Lifecycle('redis', 'bus').closedError('publish').message, /^publish: the bus 'redis' was closed/)
  })

  it('turns a synchronous throw into a rejection, and does not wait for it', async () => {
    const life = new Lifecycle('map')
    const failing = life.run('get', 'k', () => {
      throw new Error('thrown')
    })
    await assert.rejects(failing, /^Error: thrown$/)
    await life.close(() => {})
  })

  it('closes in order: prepares at once, waits for the calls in flight, then releases', async () => {
    const life = new Lifecycle('map')
    const steps: string[] = []
    const [resolving, rejecting] = [deferred(), deferred()]
    const calls = [life.run('get', 'a', () => resolving.promise), life.run('get', 'b', () => rejecting.promise)]
    const outcomes = Promise.allSettled(calls)
    const closing = life.close(
      () => {
        steps.push('release')
      },
      () => {
        steps.push(`prepare, ${life.isClosed ? 'closed' : 'open'}`)
      },
    )
    assert.deepEqual(steps, ['prepare, closed'])
    resolving.resolve()
    assert.equal(await settlesNow(closing), false)
    rejecting.reject(new Error('failed'))
    await closing
    assert.deepEqual(steps, ['prepare, closed', 'release'])
    assert.deepEqual(
      (await outcomes).map(({ status }) => status),
      ['fulfilled', 'rejected'],
    )
  })

  it('waits for work that began without a call, also when more begins during the wait', async () => {
    const life = new Lifecycle('map')
    life.begin()
    const closing = life.close(() => {})
    life.begin()
    life.end()
    assert.equal(await settlesNow(closing), false)
    life.end()
    await closing
  })

  it('closes once, whatever the number of calls', async () => {
    const life = new Lifecycle('map')
    let releases = 0
    const release = async (): Promise<void> => {
      releases += 1
      throw new Error('stuck')
    }
    const [one, two] = [life.close(release), life.close(release)]
    assert.equal(one, two)
    await assert.rejects(one, /^Error: stuck$/)
    await assert.rejects(life.close(release), /^Error: stuck$/)
    assert.equal(releases, 1)
  })

  it('is idle while nothing is in flight', async () => {
    const life = new Lifecycle('map')
    await life.idle()
    life.begin()
    const idle = [life.idle(), life.idle()]
    assert.equal(await settlesNow(Promise.race(idle)), false)
    life.end()
    await Promise.all(idle)
  })
})
