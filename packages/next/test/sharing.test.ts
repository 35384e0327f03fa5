import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cache } from '@cache/core'
import { MemoryBackend } from '@cache/memory'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { closeNextCache, nextCacheHandler } from '../src/index.ts'
import { entry, fetched, page, pageContext, textOf } from './entries.ts'
import { ManualClock, machineOn } from './stores.ts'

const request = {}

function memory(): MemoryBackend {
  return new MemoryBackend({ maxEntries: 1000 })
}

afterEach(() => {
  vi.unstubAllEnvs()
  vi.unstubAllGlobals()
})

it('handlers of one name share the cache of the first, also from copies of the module', async () => {
  const opened: string[] = []
  const open = (which: string) => () => {
    opened.push(which)
    return new Cache({ backend: memory() })
  }
  const first = nextCacheHandler(open('first'), { name: 'shared', buildId: 'b' })
  vi.resetModules()
  const copy = await import('../src/index.ts')
  expect(copy.nextCacheHandler).not.toBe(nextCacheHandler)
  const second = copy.nextCacheHandler(open('second'), { name: 'shared', buildId: 'b' })
  const other = copy.nextCacheHandler(open('other'), { name: 'not shared', buildId: 'b' })
  await new first(request).set('/a', page('a'), {})
  expect(await new second(request).get('/a', pageContext)).not.toBeNull()
  expect(await new other(request).get('/a', pageContext)).toBeNull()
  expect(opened).toEqual(['first', 'other'])
  await closeNextCache('shared')
  await copy.closeNextCache('not shared')
})

it('closeNextCache waits for running writes and closes the cache, and the next use opens another', async () => {
  const caches: Cache[] = []
  const backend = memory()
  const clock = new ManualClock()
  const open = () => {
    // Without this cache the backend would close with the first one.
    const cache = new Cache({ backend })
    caches.push(cache)
    return cache
  }
  const keeper = new Cache({ backend })
  const handler = nextCacheHandler(open, { name: 'closed', clock })
  let finish = (_: ReturnType<typeof entry>): void => {}
  const written = handler.set('k', new Promise((resolve) => (finish = resolve)))
  const closed = closeNextCache('closed')
  finish(entry('text', { timestamp: clock.now() }))
  await closed
  await written
  await expect(caches[0]?.get('x')).rejects.toMatchObject({ code: 'CLOSED' })
  expect(await textOf(await handler.get('k', []))).toBe('text')
  expect(caches).toHaveLength(2)
  await closeNextCache('closed')
  await keeper.close()
})

it('closing a name without a handler does nothing', async () => {
  await closeNextCache('never used')
})

describe('during next build', () => {
  it('entries stay in the memory of the process, and the cache is not opened', async () => {
    vi.stubEnv('NEXT_PHASE', 'phase-production-build')
    const open = vi.fn()
    const handler = nextCacheHandler(open, { name: 'build' })
    onTestFinished(() => closeNextCache('build'))
    // Next looks for a result before it stores one. Without it, the first entry would be older than the records of tags.
    expect(await new handler(request).get('f', { kind: 'FETCH', tags: ['t'] })).toBeNull()
    await new handler(request).set('f', fetched('1'), { fetchCache: true, tags: ['t'] })
    expect((await new handler(request).get('f', { kind: 'FETCH', tags: ['t'] }))?.value).toEqual(fetched('1'))
    expect(open).not.toHaveBeenCalled()
  })

  it('the oldest entries make room for new ones', async () => {
    vi.stubEnv('NEXT_PHASE', 'phase-production-build')
    const handler = nextCacheHandler(vi.fn(), { name: 'large build' })
    onTestFinished(() => closeNextCache('large build'))
    const large = 'x'.repeat(20 * 1024 * 1024)
    for (const key of ['a', 'b', 'c']) await new handler(request).set(key, fetched(large), { fetchCache: true })
    const found = await Promise.all(['a', 'b', 'c'].map((key) => new handler(request).get(key, { kind: 'FETCH' })))
    expect(found.map((one) => one !== null)).toEqual([false, true, true])
  })

  it("duringBuild: 'cache' uses the cache", async () => {
    vi.stubEnv('NEXT_PHASE', 'phase-production-build')
    const backend = memory()
    const { handler } = machineOn(backend, { duringBuild: 'cache' })
    await new handler(request).set('f', fetched('1'), { fetchCache: true, tags: [] })
    vi.unstubAllEnvs()
    const later = machineOn(backend)
    expect(await new later.handler(request).get('f', { kind: 'FETCH' })).not.toBeNull()
  })
})

describe('the build id', () => {
  async function buildDirectory(id: string | undefined): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'cache-next-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    await mkdir(join(directory, 'server'))
    if (id !== undefined) await writeFile(join(directory, 'BUILD_ID'), id)
    return join(directory, 'server')
  }

  it('is that of the file of the build', async () => {
    const { handler } = machineOn(memory(), { buildId: undefined })
    const [one, same, other] = await Promise.all(['1', '1', '2'].map((id) => buildDirectory(id)))
    await new handler({ serverDistDir: one }).set('/a', page('a'), {})
    expect(await new handler({ serverDistDir: same }).get('/a', pageContext)).not.toBeNull()
    expect(await new handler({ serverDistDir: other }).get('/a', pageContext)).toBeNull()
  })

  it('is one of this process without the file', async () => {
    const { handler } = machineOn(memory(), { buildId: undefined })
    const [one, other] = await Promise.all([buildDirectory(undefined), buildDirectory(undefined)])
    await new handler({ serverDistDir: one }).set('/a', page('a'), {})
    expect(await new handler({ serverDistDir: one }).get('/a', pageContext)).not.toBeNull()
    expect(await new handler({ serverDistDir: other }).get('/a', pageContext)).toBeNull()
  })
})

describe('options', () => {
  it('clockTolerance keeps out a render that began within it after an invalidation', async () => {
    const { handler, clock } = machineOn(memory(), { clockTolerance: '1s' })
    await handler.updateTags(['t'])
    clock.advance(1000)
    await new handler(request).set('/a', page('a', ['t']), {})
    expect(await new handler(request).get('/a', pageContext)).toBeNull()
    clock.advance(1)
    await new handler(request).set('/a', page('a', ['t']), {})
    expect(await new handler(request).get('/a', pageContext)).not.toBeNull()
  })

  it('maxAge ends entries, and expire of an entry does so earlier', async () => {
    const clock = new ManualClock()
    const cache = { backend: new MemoryBackend({ maxEntries: 100, clock }), clock }
    const handler = nextCacheHandler(() => new Cache(cache), { name: 'aged', buildId: 'b', clock, maxAge: '1h' })
    onTestFinished(() => closeNextCache('aged'))
    await new handler(request).set('/long', page('a'), { cacheControl: { revalidate: 1, expire: 86_400 } })
    await new handler(request).set('/short', page('a'), { cacheControl: { revalidate: 1, expire: 60 } })
    const kept = async () => {
      const found = await Promise.all(['/long', '/short'].map((key) => new handler(request).get(key, pageContext)))
      return found.map((one) => one !== null)
    }
    clock.advance(59_999)
    expect(await kept()).toEqual([true, true])
    clock.advance(1)
    expect(await kept()).toEqual([true, false])
    clock.advance(3_540_000)
    expect(await kept()).toEqual([false, false])
  })

  it('prefix begins every key', async () => {
    const backend = memory()
    const { handler, clock } = machineOn(backend, { prefix: 'shop' })
    await new handler(request).set('/a', page('a', ['t']), {})
    await handler.set('k', Promise.resolve(entry('text', { timestamp: clock.now() })))
    const keys: string[] = []
    for await (const key of new Cache({ backend }).keys('')) keys.push(key)
    expect(keys).toHaveLength(18)
    expect(keys.filter((key) => !key.startsWith('shop:'))).toEqual([])
  })

  it.each([
    [{ name: '' }, 'name'],
    [{ prefix: 1 }, 'prefix'],
    [{ buildId: '' }, 'buildId'],
    [{ duringBuild: 'file' }, 'duringBuild'],
    [{ maxAge: 0 }, 'maxAge'],
    [{ maxAge: 'long' }, 'maxAge'],
    [{ clockTolerance: -1 }, 'clockTolerance'],
    [{ clockTolerance: Number.POSITIVE_INFINITY }, 'clockTolerance'],
    [{ onError: 'log' }, 'onError'],
    [{ clock: {} }, 'clock'],
    [{ ttl: 1 }, 'ttl'],
    [null, 'options'],
  ])('%j is refused with the name of the option', (options, option) => {
    expect(() => nextCacheHandler(() => new Cache({ backend: memory() }), options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(option) }),
    )
  })

  it('a cache in place of a function is refused', () => {
    const cache = new Cache({ backend: memory() })
    expect(() => nextCacheHandler(cache as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('open must be') }),
    )
  })

  it('a result of open that is no cache is reported', async () => {
    const errors: unknown[] = []
    const handler = nextCacheHandler(() => memory() as never, {
      name: 'no cache',
      onError: (error) => errors.push(error),
    })
    onTestFinished(() => closeNextCache('no cache'))
    expect(await handler.get('k', [])).toBeUndefined()
    expect(errors[0]).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

describe('the Edge runtime', () => {
  it('is refused with the reason', () => {
    vi.stubGlobal('EdgeRuntime', 'edge-runtime')
    expect(() => nextCacheHandler(vi.fn())).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringContaining('Edge runtime') }),
    )
    vi.unstubAllGlobals()
    vi.stubEnv('NEXT_RUNTIME', 'edge')
    expect(() => nextCacheHandler(vi.fn())).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  })
})
