import { describe, expect, it } from 'vitest'
import { BreakpointBackend } from '../../src/conformance/index.ts'
import { createRandom } from '../../src/conformance/samples/random.ts'
import { Cache, type Item } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { bothStores, codeOf, oneProcess, settled, twoProcesses } from './rig.ts'

/** A store that measures lifetimes by its own clock, as Redis does, for a process whose clock is ahead. */
class StoreOfItsOwnTime extends BreakpointBackend {
  readonly #ahead: number

  constructor(inner: MapBackend, ahead: number) {
    super(inner)
    this.#ahead = ahead
  }

  override compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    const { expiresAt } = next ?? {}
    return super.compareAndSet(
      key,
      expected,
      next && expiresAt !== undefined ? { ...next, expiresAt: expiresAt - this.#ahead } : next,
    )
  }
}

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

describe('rateLimit', () => {
  it('exactly the limit is allowed, however many calls run concurrently in two processes', async () => {
    const { cache, other } = twoProcesses()
    const options = { limit: 50, window: '1m' } as const
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? cache : other).rateLimit('login', options)),
    )
    expect(answers.filter(({ allowed }) => allowed).length).toBe(50)
  })

  it('exactly the limit is allowed, over several namespace objects and caches on one backend', async () => {
    const { cache, far, clock } = twoProcesses()
    const second = new Cache({ backend: far, clock })
    const asking = [cache.namespace('a'), cache.namespace('a'), second.namespace('a')]
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, index) => asking[index % 3]?.rateLimit('login', { limit: 50, window: '1m' })),
    )
    expect(answers.filter((answer) => answer?.allowed).length).toBe(50)
    expect((await cache.namespace('b').rateLimit('login', { limit: 50, window: '1m' })).remaining).toBe(49)
  })

  it('concurrent calls need only a few calls of the backend', async () => {
    const { cache, far } = twoProcesses()
    await Promise.all(Array.from({ length: 500 }, () => cache.rateLimit('login', { limit: 400, window: '1m' })))
    expect(far.calls.length).toBeLessThanOrEqual(4)
  })

  it('a failing backend rejects all waiting calls, and later calls work', async () => {
    const { cache, far } = twoProcesses()
    far.broken = true
    const options = { limit: 5, window: '1m' } as const
    const failed = await Promise.all([1, 2, 3].map(() => codeOf(cache.rateLimit('k', options))))
    expect(failed).toEqual(['UNAVAILABLE', 'UNAVAILABLE', 'UNAVAILABLE'])
    far.broken = false
    expect((await cache.rateLimit('k', options)).remaining).toBe(4)
  })

  it('a call is allowed at the instant resetAt, and none before (seeded)', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
    const random = createRandom(seed)
    for (let round = 0; round < 300; round += 1) {
      const { cache, clock } = oneProcess()
      const options = { limit: 1 + random.below(7), window: 1 + random.below(5000) }
      let answer = await cache.rateLimit('k', options)
      for (let call = 0; call < 20; call += 1) {
        clock.advance(random.below(Math.ceil(options.window * 0.3)))
        answer = await cache.rateLimit('k', options)
      }
      const wait = answer.resetAt - clock.now()
      if (answer.remaining > 0 || wait <= 0) continue
      clock.advance(wait - 1)
      const where = `SEED=${seed}, round ${round}`
      expect(await cache.rateLimit('k', options), where).toEqual({ ...answer, allowed: false })
      clock.advance(1)
      expect((await cache.rateLimit('k', options)).allowed, where).toBe(true)
    }
  })

  it('a sliding counter gives the remaining calls and the instant of the next allowed call', async () => {
    const { cache, clock } = oneProcess()
    const options = { limit: 2, window: 1000, algorithm: 'sliding-counter' } as const
    const start = clock.now()
    expect(await cache.rateLimit('k', options)).toEqual({ allowed: true, remaining: 1, resetAt: start })
    expect(await cache.rateLimit('k', options)).toEqual({ allowed: true, remaining: 0, resetAt: start + 1500 })
    expect(await cache.rateLimit('k', options)).toEqual({ allowed: false, remaining: 0, resetAt: start + 1500 })
    clock.advance(1499)
    expect((await cache.rateLimit('k', options)).allowed).toBe(false)
    clock.advance(1)
    expect((await cache.rateLimit('k', options)).allowed).toBe(true)
  })

  it('each window of a key is counted separately, such as a minute and a day', async () => {
    const { cache, clock } = oneProcess()
    const minute = { limit: 2, window: '1m' } as const
    const day = { limit: 3, window: '1d' } as const
    const allowed: boolean[] = []
    for (let call = 0; call < 5; call += 1) {
      allowed.push((await cache.rateLimit('k', day)).allowed && (await cache.rateLimit('k', minute)).allowed)
      clock.advance(120_000)
    }
    expect(allowed).toEqual([true, true, true, false, false])
  })

  it('the count restarts once two windows have passed', async () => {
    const { cache, clock } = oneProcess()
    const options = { limit: 1, window: 1000 } as const
    await cache.rateLimit('k', options)
    clock.advance(2000)
    expect((await cache.rateLimit('k', options)).allowed).toBe(true)
  })

  it('R16 a clock that lags behind the one that wrote the record neither frees nor blocks a key', async () => {
    const { cache, other, clock } = twoProcesses()
    const options = { limit: 2, window: 1000 } as const
    clock.advance(1000)
    await cache.rateLimit('k', options)
    clock.advance(-500)
    expect((await other.rateLimit('k', options)).allowed).toBe(true)
    expect((await other.rateLimit('k', options)).allowed).toBe(false)
  })

  it('R16 a sliding counter is blocked by a process whose clock is an hour ahead for two windows, and no longer', async () => {
    const { other, clock, items } = twoProcesses()
    const ahead = new Cache({
      backend: new StoreOfItsOwnTime(new MapBackend({ clock, items }), 3_600_000),
      clock: { now: () => clock.now() + 3_600_000 },
    })
    const options = { limit: 2, window: 1000, algorithm: 'sliding-counter' } as const
    await ahead.rateLimit('k', options)
    expect((await other.rateLimit('k', options)).allowed).toBe(true)
    expect((await other.rateLimit('k', options)).allowed).toBe(false)
    clock.advance(1999)
    expect((await other.rateLimit('k', options)).allowed).toBe(false)
    clock.advance(1)
    expect((await other.rateLimit('k', options)).remaining).toBe(1)
  })

  it('R16 a sliding counter is blocked by a clock that is set back an hour for two windows, and no longer', async () => {
    for (const [, open] of bothStores) {
      const { cache, clock } = open()
      const options = { limit: 1, window: 1000, algorithm: 'sliding-counter' } as const
      await cache.rateLimit('k', options)
      clock.advance(-3_600_000)
      expect((await cache.rateLimit('k', options)).allowed).toBe(false)
      clock.advance(1999)
      expect((await cache.rateLimit('k', options)).allowed).toBe(false)
      clock.advance(1)
      expect((await cache.rateLimit('k', options)).allowed).toBe(true)
    }
  })

  it('invalid options are refused', async () => {
    const { cache } = oneProcess()
    for (const options of [
      { limit: 0, window: 1 },
      { limit: 1, window: 0 },
      { limit: 1.5, window: 1 },
      { limit: 1, window: Infinity },
      {},
    ]) {
      expect(await codeOf(cache.rateLimit('k', options as never))).toBe('INVALID_ARGUMENT')
    }
  })
})
