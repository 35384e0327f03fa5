import { describe, expect, it } from 'vitest'
import { Cache } from '../../src/index.ts'
import { codeOf, oneProcess, settled, twoProcesses } from './rig.ts'

describe('withLock', () => {
  it('one process works at a time, and the tokens grow', async () => {
    const { cache, other, clock } = twoProcesses()
    const tokens: number[] = []
    let inside = 0
    let most = 0
    const work = async ({ token }: { token: number }): Promise<void> => {
      inside += 1
      most = Math.max(most, inside)
      tokens.push(token)
      await settled()
      inside -= 1
    }
    const all = [cache, other, cache, other].map((one) => one.withLock('job', work, { wait: '1m' }))
    let done = false
    void Promise.all(all).then(() => {
      done = true
    })
    while (!done) {
      await settled()
      clock.advance(250)
    }
    expect(most).toBe(1)
    expect(tokens.length).toBe(4)
    expect(tokens).toEqual([...new Set(tokens)].sort((one, two) => one - two))
  })

  it('a lock that is not free within wait rejects with LOCK_TIMEOUT', async () => {
    const { cache, other } = twoProcesses()
    let release = (): void => {}
    const held = cache.withLock(
      'job',
      () =>
        new Promise<void>((resolve) => {
          release = resolve
        }),
    )
    await settled()
    expect(await codeOf(other.withLock('job', () => 1, { wait: 0 }))).toBe('LOCK_TIMEOUT')
    release()
    await held
    expect(await other.withLock('job', () => 1, { wait: 0 })).toBe(1)
  })

  it('the wait is no longer because the clock is set back meanwhile', async () => {
    const { cache, far, clock } = twoProcesses()
    let back = 0
    const settingBack = { now: () => clock.now() - back, after: clock.after }
    const waiting = new Cache({ backend: far, clock: settingBack })
    let release = (): void => {}
    const held = cache.withLock('job', () => new Promise<void>((resolve) => (release = resolve)), { ttl: '1h' })
    await settled()
    const second = codeOf(waiting.withLock('job', () => 1, { wait: '10s' }))
    await settled()
    back = 3_600_000
    let ended = false
    void second.then(() => {
      ended = true
    })
    for (let passed = 0; passed < 10_500; passed += 250) {
      clock.advance(250)
      await settled()
    }
    expect(ended).toBe(true)
    expect(await second).toBe('LOCK_TIMEOUT')
    release()
    await held
  })

  it('the lock is renewed while its work runs', async () => {
    const { cache, other, clock } = twoProcesses()
    let release = (): void => {}
    const held = cache.withLock(
      'job',
      () =>
        new Promise<void>((resolve) => {
          release = resolve
        }),
      { ttl: '9s' },
    )
    for (let second = 0; second < 60; second += 1) {
      await settled()
      clock.advance(1000)
    }
    expect(await codeOf(other.withLock('job', () => 1, { wait: 0 }))).toBe('LOCK_TIMEOUT')
    release()
    await held
  })

  it('a lost lock aborts the signal of its work, and does not release the lock of the next holder', async () => {
    const { cache, other, far, clock } = twoProcesses()
    let release = (): void => {}
    let lost: unknown
    const held = codeOf(
      cache.withLock(
        'job',
        ({ signal }) => {
          signal.addEventListener('abort', () => {
            lost = signal.reason
          })
          return new Promise<void>((resolve) => {
            release = resolve
          })
        },
        { ttl: '9s' },
      ),
    )
    await settled()
    far.broken = true // The connection is lost: no renewal arrives.
    for (let second = 0; second < 20; second += 1) {
      clock.advance(1000)
      await settled()
    }
    expect(lost).toMatchObject({ code: 'LOCK_LOST' })
    far.broken = false
    const next = other.withLock('job', () => new Promise<string>((resolve) => setImmediate(() => resolve('next'))))
    await settled()
    release()
    expect(await held).toBe('LOCK_LOST')
    expect(await next).toBe('next')
  })

  it('work that throws releases the lock', async () => {
    const { cache } = oneProcess()
    await expect(cache.withLock('job', () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(await cache.withLock('job', () => 'free', { wait: 0 })).toBe('free')
  })

  it('a process paused longer than the lock lives aborts the signal of its work before any backend call', async () => {
    const { cache, far, clock } = twoProcesses()
    let release = (): void => {}
    let lost: unknown
    const held = codeOf(
      cache.withLock(
        'job',
        ({ signal }) => {
          signal.addEventListener('abort', () => {
            lost = signal.reason
          })
          return new Promise<void>((resolve) => {
            release = resolve
          })
        },
        { ttl: '9s' },
      ),
    )
    await settled()
    far.holdBefore('compareAndSet') // The first renewal never comes back.
    clock.advance(9000)
    expect(lost).toMatchObject({ code: 'LOCK_LOST' })
    release()
    expect(await held).toBe('LOCK_LOST')
  })

  it('the next holder gets a larger token than the paused holder has', async () => {
    const { cache, other, far, clock } = twoProcesses()
    let release = (): void => {}
    let paused = 0
    const held = codeOf(
      cache.withLock(
        'job',
        ({ token }) => {
          paused = token
          return new Promise<void>((resolve) => {
            release = resolve
          })
        },
        { ttl: '9s' },
      ),
    )
    await settled()
    far.broken = true
    clock.advance(9000)
    await settled()
    expect(await other.withLock('job', ({ token }) => token > paused, { wait: 0 })).toBe(true)
    release()
    far.broken = false
    expect(await held).toBe('LOCK_LOST')
  })

  it('no work starts if the lock expired while its token was drawn, as that token would exceed the one of the holder', async () => {
    const { cache, other, far, clock } = twoProcesses()
    const token = far.holdBefore('get')
    let worked = false
    const slow = codeOf(
      cache.withLock(
        'job',
        () => {
          worked = true
        },
        { ttl: '9s' },
      ),
    )
    await token.reached
    clock.advance(9000)
    let release = (): void => {}
    const held = other.withLock('job', () => new Promise<void>((resolve) => (release = resolve)), { wait: 0 })
    await settled()
    token.open()
    expect([await slow, worked]).toEqual(['LOCK_LOST', false])
    release()
    await held
  })

  it('the lock survives a renewal whose answer was lost after the backend had applied it', async () => {
    const { cache, other, far, clock } = twoProcesses()
    let release = (): void => {}
    let aborted = false
    const held = cache.withLock(
      'job',
      ({ signal }) => {
        signal.addEventListener('abort', () => {
          aborted = true
        })
        return new Promise<void>((resolve) => {
          release = resolve
        })
      },
      { ttl: '9s' },
    )
    await settled()
    far.loseAnswer()
    for (let second = 0; second < 30; second += 1) {
      clock.advance(1000)
      await settled()
    }
    expect(aborted).toBe(false)
    expect(await codeOf(other.withLock('job', () => 1, { wait: 0 }))).toBe('LOCK_TIMEOUT')
    release()
    await held
    expect(await other.withLock('job', () => 1, { wait: 0 })).toBe(1)
  })

  it('a lost answer to an acquisition does not block the lock for all callers', async () => {
    const { cache, other, far } = twoProcesses()
    far.loseAnswer()
    expect(await codeOf(cache.withLock('job', () => 1))).toBe('TIMEOUT')
    await settled()
    expect(await other.withLock('job', () => 1, { wait: 0 })).toBe(1)
  })

  it('a signal that aborts ends the wait with ABORTED, and the error names withLock', async () => {
    const { cache, other } = twoProcesses()
    let release = (): void => {}
    const held = cache.withLock(
      'job',
      () =>
        new Promise<void>((resolve) => {
          release = resolve
        }),
    )
    await settled()
    const controller = new AbortController()
    const waiting = other.withLock('job', () => 1, { signal: controller.signal }).catch((error) => error)
    await settled()
    controller.abort()
    expect(await waiting).toMatchObject({ code: 'ABORTED', operation: 'withLock' })
    release()
    await held
  })

  it('a failure of the backend rejects the call and is counted once', async () => {
    const { cache, far } = twoProcesses()
    far.failing.add('get')
    expect(await codeOf(cache.withLock('job', () => 1))).toBe('UNAVAILABLE')
    far.failing.clear()
    expect((await cache.stats()).errors).toBe(1)
  })

  it('work that ends while another process holds the lock rejects with LOCK_LOST, and does not release that lock', async () => {
    const { cache, other, items } = twoProcesses()
    let release = (): void => {}
    const held = codeOf(cache.withLock('job', () => new Promise<void>((resolve) => (release = resolve))))
    await settled()
    // The record was evicted: no renewal has shown that yet.
    for (const key of items.keys()) if (key.includes('lock:')) items.delete(key)
    let releaseOther = (): void => {}
    const next = other.withLock('job', () => new Promise<string>((resolve) => (releaseOther = () => resolve('next'))))
    await settled()
    release()
    expect(await held).toBe('LOCK_LOST')
    expect(await codeOf(cache.withLock('job', () => 1, { wait: 0 }))).toBe('LOCK_TIMEOUT')
    releaseOther()
    expect(await next).toBe('next')
  })

  it('the error of the work rejects the call, although the lock was lost', async () => {
    const { cache, items } = twoProcesses()
    const failure = new Error('the work failed')
    const held = cache.withLock('job', async () => {
      items.clear()
      throw failure
    })
    await expect(held).rejects.toBe(failure)
  })

  it('close of the cache makes the lock lost and leaves no timer', async () => {
    const { cache, clock } = twoProcesses()
    let lost: unknown
    const held = codeOf(
      cache.withLock(
        'job',
        ({ signal }) =>
          new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => {
              lost = signal.reason
              resolve()
            })
          }),
      ),
    )
    await settled()
    await cache.close()
    expect(await held).toBe('LOCK_LOST')
    expect(lost).toMatchObject({ code: 'LOCK_LOST' })
    expect(clock.timers).toBe(0)
  })

  it('each namespace has its own lock keys', async () => {
    const { cache, other } = twoProcesses()
    const inner = await cache.withLock('job', () => other.namespace('a').withLock('job', () => 'both', { wait: 0 }))
    expect(inner).toBe('both')
  })

  it('invalid arguments are refused', async () => {
    const { cache } = oneProcess()
    for (const options of [null, { ttl: 0 }, { wait: -1 }, { signal: 'stop' }, { other: 1 }, { ttl: null }])
      expect(await codeOf(cache.withLock('job', () => 1, options as never))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(cache.withLock(1 as never, () => 1))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(cache.withLock('job', 'work' as never))).toBe('INVALID_ARGUMENT')
  })

  it('a backend without compareAndSet makes the call reject with UNSUPPORTED', async () => {
    const { nullBackend } = await import('../../src/index.ts')
    expect(await codeOf(new Cache({ backend: nullBackend }).withLock('job', () => 1))).toBe('UNSUPPORTED')
  })
})
