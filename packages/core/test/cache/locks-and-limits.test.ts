import { describe, expect, it } from 'vitest'
import { BreakpointBackend } from '../../src/conformance/index.ts'
import { createRandom } from '../../src/conformance/samples/random.ts'
import { Cache, type Item } from '../../src/index.ts'
import { MapBackend } from '../conformance/map-backend.ts'
import { bothStores, codeOf, oneProcess, settled, twoProcesses } from './rig.ts'

/** A store that counts lifetimes by its own clock, as Redis does, reached by a process whose clock is ahead. */
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
  it('lets one process work at a time, with tokens that grow', async () => {
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

  it('rejects with LOCK_TIMEOUT when it was not free within wait', async () => {
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

  it('waits no longer than wait when the clock is set back meanwhile', async () => {
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

  it('is renewed while its work runs', async () => {
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

  it('tells its work when it was lost, and does not free the lock of the next holder', async () => {
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
    far.broken = true // Cut off: the renewals do not arrive.
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

  it('gives the lock back when its work throws', async () => {
    const { cache } = oneProcess()
    await expect(cache.withLock('job', () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(await cache.withLock('job', () => 'free', { wait: 0 })).toBe('free')
  })

  it('tells its work at once when the process was paused for longer than the lock lives, before it asks the backend', async () => {
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

  it('gives the next holder a larger token than the one who was paused has', async () => {
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

  it('starts no work when the lock ran out while its token was drawn, which would be larger than the holder has', async () => {
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

  it('survives a renewal whose answer was lost though the backend had it', async () => {
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

  it('does not keep everybody out when the answer to its acquisition was lost', async () => {
    const { cache, other, far } = twoProcesses()
    far.loseAnswer()
    expect(await codeOf(cache.withLock('job', () => 1))).toBe('TIMEOUT')
    await settled()
    expect(await other.withLock('job', () => 1, { wait: 0 })).toBe(1)
  })

  it('ends its wait with ABORTED, under its own name, when the signal aborts', async () => {
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

  it('rejects with the failure of the backend, counted once', async () => {
    const { cache, far } = twoProcesses()
    far.failing.add('get')
    expect(await codeOf(cache.withLock('job', () => 1))).toBe('UNAVAILABLE')
    far.failing.clear()
    expect((await cache.stats()).errors).toBe(1)
  })

  it('rejects with LOCK_LOST when another process holds the lock at the end of the work, and leaves it to that process', async () => {
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

  it('rejects with the error of its work, although the lock was lost', async () => {
    const { cache, items } = twoProcesses()
    const failure = new Error('the work failed')
    const held = cache.withLock('job', async () => {
      items.clear()
      throw failure
    })
    await expect(held).rejects.toBe(failure)
  })

  it('is lost when its cache is closed, which leaves no timer', async () => {
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

  it('has its own keys in each namespace', async () => {
    const { cache, other } = twoProcesses()
    const inner = await cache.withLock('job', () => other.namespace('a').withLock('job', () => 'both', { wait: 0 }))
    expect(inner).toBe('both')
  })

  it('refuses arguments that mean nothing', async () => {
    const { cache } = oneProcess()
    for (const options of [null, { ttl: 0 }, { wait: -1 }, { signal: 'stop' }, { other: 1 }, { ttl: null }])
      expect(await codeOf(cache.withLock('job', () => 1, options as never))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(cache.withLock(1 as never, () => 1))).toBe('INVALID_ARGUMENT')
    expect(await codeOf(cache.withLock('job', 'work' as never))).toBe('INVALID_ARGUMENT')
  })

  it('is refused with UNSUPPORTED on a backend without compareAndSet', async () => {
    const { nullBackend } = await import('../../src/index.ts')
    expect(await codeOf(new Cache({ backend: nullBackend }).withLock('job', () => 1))).toBe('UNSUPPORTED')
  })
})

describe('rateLimit', () => {
  it('lets exactly the limit through, however many ask at once in two processes', async () => {
    const { cache, other } = twoProcesses()
    const options = { limit: 50, window: '1m' } as const
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? cache : other).rateLimit('login', options)),
    )
    expect(answers.filter(({ allowed }) => allowed).length).toBe(50)
  })

  it('lets exactly the limit through, through several namespace objects and caches on one backend', async () => {
    const { cache, far, clock } = twoProcesses()
    const second = new Cache({ backend: far, clock })
    const asking = [cache.namespace('a'), cache.namespace('a'), second.namespace('a')]
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, index) => asking[index % 3]?.rateLimit('login', { limit: 50, window: '1m' })),
    )
    expect(answers.filter((answer) => answer?.allowed).length).toBe(50)
    expect((await cache.namespace('b').rateLimit('login', { limit: 50, window: '1m' })).remaining).toBe(49)
  })

  it('answers calls that come at once with a few calls of the backend', async () => {
    const { cache, far } = twoProcesses()
    await Promise.all(Array.from({ length: 500 }, () => cache.rateLimit('login', { limit: 400, window: '1m' })))
    expect(far.calls.length).toBeLessThanOrEqual(4)
  })

  it('rejects all who asked when the backend fails, and goes on afterwards', async () => {
    const { cache, far } = twoProcesses()
    far.broken = true
    const options = { limit: 5, window: '1m' } as const
    const failed = await Promise.all([1, 2, 3].map(() => codeOf(cache.rateLimit('k', options))))
    expect(failed).toEqual(['UNAVAILABLE', 'UNAVAILABLE', 'UNAVAILABLE'])
    far.broken = false
    expect((await cache.rateLimit('k', options)).remaining).toBe(4)
  })

  it('allows a call at the instant that resetAt names, and none before (seeded)', async () => {
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

  it('with a sliding counter, counts what remains, and says when one more call fits', async () => {
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

  it('counts each window of a key for itself: so many a minute, and so many a day', async () => {
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

  it('starts anew when two windows have passed', async () => {
    const { cache, clock } = oneProcess()
    const options = { limit: 1, window: 1000 } as const
    await cache.rateLimit('k', options)
    clock.advance(2000)
    expect((await cache.rateLimit('k', options)).allowed).toBe(true)
  })

  it('R16 a clock that lags behind the one that wrote the record neither frees nor locks a key', async () => {
    const { cache, other, clock } = twoProcesses()
    const options = { limit: 2, window: 1000 } as const
    clock.advance(1000)
    await cache.rateLimit('k', options)
    clock.advance(-500)
    expect((await other.rateLimit('k', options)).allowed).toBe(true)
    expect((await other.rateLimit('k', options)).allowed).toBe(false)
  })

  it('with a sliding counter, R16 one call of a process whose clock is an hour ahead holds the others up for two windows, and no longer', async () => {
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

  it('with a sliding counter, R16 a clock that is set back by an hour holds a key up for two windows, and no longer', async () => {
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

  it('refuses options that mean nothing', async () => {
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
