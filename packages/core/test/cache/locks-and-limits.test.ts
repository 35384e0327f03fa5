import { describe, expect, it } from 'vitest'
import { codeOf, oneProcess, settled, twoProcesses } from './rig.ts'

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
    const held = cache.withLock(
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
    await held
    expect(await next).toBe('next')
  })

  it('gives the lock back when its work throws', async () => {
    const { cache } = oneProcess()
    await expect(cache.withLock('job', () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    expect(await cache.withLock('job', () => 'free', { wait: 0 })).toBe('free')
  })

  it('is refused with UNSUPPORTED on a backend without swap', async () => {
    const { nullBackend, Cache } = await import('../../src/index.ts')
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

  it('counts what remains, and says when one more call fits', async () => {
    const { cache, clock } = oneProcess()
    const options = { limit: 2, window: 1000 } as const
    const start = clock.now()
    expect(await cache.rateLimit('k', options)).toEqual({ allowed: true, remaining: 1, resetAt: start })
    expect(await cache.rateLimit('k', options)).toEqual({ allowed: true, remaining: 0, resetAt: start + 1500 })
    expect(await cache.rateLimit('k', options)).toEqual({ allowed: false, remaining: 0, resetAt: start + 1500 })
    clock.advance(1499)
    expect((await cache.rateLimit('k', options)).allowed).toBe(false)
    clock.advance(1)
    expect((await cache.rateLimit('k', options)).allowed).toBe(true)
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
