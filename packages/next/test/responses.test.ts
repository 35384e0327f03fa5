import type { CacheHandler } from 'next/dist/server/lib/incremental-cache/index.js'
import { describe, expect, expectTypeOf, inject, it } from 'vitest'
import { nextCacheHandler } from '../src/index.ts'
import { fetched, htmlOf, page, pageContext } from './entries.ts'
import { machineOn, stores } from './stores.ts'

declare module 'vitest' {
  interface ProvidedContext {
    readonly redisUrl: string
  }
}

const request = {}
const control = { revalidate: 60, expire: 3600 } as const

describe.each(stores)('responses on %s', (_, open) => {
  const opened = async () => machineOn(await open(inject('redisUrl')))

  it('a page comes back with its buffers and its segments', async () => {
    const { handler, clock } = await opened()
    const value = page('a', ['t'])
    await new handler(request).set('/a', value, { cacheControl: control })
    const found = await new handler(request).get('/a', pageContext)
    expect(found).toEqual({
      lastModified: clock.now(),
      value: { ...value, headers: { 'x-next-cache-tags': 't' }, postponed: undefined },
      cacheControl: control,
    })
    expect(Buffer.isBuffer(found?.value?.rscData)).toBe(true)
    const segments = found?.value?.segmentData as Map<string, Buffer>
    expect([...segments.values()].every(Buffer.isBuffer)).toBe(true)
    expect(segments.get('/page')).toEqual(Buffer.from([0, 255, 1]))
  })

  it('a response of a route, an image, a redirect and an absent page come back', async () => {
    const { handler } = await opened()
    const route = { kind: 'APP_ROUTE', body: Buffer.from([1, 0, 2]), status: 200, headers: {} }
    const image = { kind: 'IMAGE', etag: 'e', upstreamEtag: 'u', buffer: Buffer.from([9]), extension: 'png' }
    const redirect = { kind: 'REDIRECT', props: { to: '/b' } }
    await new handler(request).set('/r', route, { cacheControl: control })
    await new handler(request).set('i', image, { kind: 'IMAGE', cacheControl: control })
    await new handler(request).set('/p', redirect, { cacheControl: control })
    await new handler(request).set('/none', null, { cacheControl: control })
    expect((await new handler(request).get('/r', { kind: 'APP_ROUTE' }))?.value).toEqual(route)
    expect((await new handler(request).get('i', { kind: 'IMAGE' }))?.value).toEqual(image)
    expect((await new handler(request).get('/p', { kind: 'PAGES' }))?.value).toEqual(redirect)
    expect(await new handler(request).get('/none', { kind: 'PAGES' })).toMatchObject({ value: null })
    expect(await new handler(request).get('/other', { kind: 'PAGES' })).toBeNull()
  })

  it('revalidateTag of one process removes the pages and fetch results of another', async () => {
    const backend = await open(inject('redisUrl'))
    const first = machineOn(backend)
    const second = machineOn(backend, { clock: first.clock })
    await new first.handler(request).set('/a', page('a', ['x', 't']), {})
    await new first.handler(request).set('f', fetched('1'), { fetchCache: true, tags: ['t'] })
    first.clock.advance(10)
    await new second.handler(request).revalidateTag('t')
    expect(await new first.handler(request).get('/a', pageContext)).toBeNull()
    expect(await new first.handler(request).get('f', { kind: 'FETCH', tags: ['t'] })).toBeNull()
    first.clock.advance(10)
    await new first.handler(request).set('/a', page('b', ['x', 't']), {})
    expect(await htmlOf(new second.handler(request), '/a', first.clock.now())).toBe('b')
  })

  it('revalidateTag with an expire time makes a page stale, and then expired', async () => {
    const { handler, clock } = await opened()
    await new handler(request).set('/a', page('a', ['t']), { cacheControl: { revalidate: false, expire: undefined } })
    clock.advance(10)
    await new handler(request).revalidateTag(['t'], { expire: 300 })
    expect(await htmlOf(new handler(request), '/a', clock.now())).toBe('stale a')
    clock.advance(299_000)
    expect(await htmlOf(new handler(request), '/a', clock.now())).toBe('stale a')
    clock.advance(1000)
    expect(await htmlOf(new handler(request), '/a', clock.now())).toBeUndefined()
  })

  it('a page that was rendered after the invalidation outlives its expire time', async () => {
    const { handler, clock } = await opened()
    await new handler(request).revalidateTag(['t'], { expire: 300 })
    clock.advance(10)
    await new handler(request).set('/a', page('a', ['t']), { cacheControl: { revalidate: false, expire: undefined } })
    clock.advance(400_000)
    expect(await htmlOf(new handler(request), '/a', clock.now())).toBe('a')
  })

  it('a page whose tag was invalidated during its render is not kept', async () => {
    const { handler, clock } = await opened()
    const rendering = new handler(request)
    await rendering.get('/a', pageContext)
    clock.advance(10)
    await new handler(request).revalidateTag('t')
    clock.advance(10)
    await rendering.set('/a', page('old', ['t']), { cacheControl: control })
    expect(await new handler(request).get('/a', pageContext)).toBeNull()
  })

  it('a page whose tag became stale during its render is stale', async () => {
    const { handler, clock } = await opened()
    const rendering = new handler(request)
    await rendering.get('/a', pageContext)
    clock.advance(10)
    await new handler(request).revalidateTag('t', {})
    clock.advance(10)
    await rendering.set('/a', page('old', ['t']), { cacheControl: control })
    expect(await htmlOf(new handler(request), '/a', clock.now())).toBe('stale old')
  })

  it('a soft tag removes a fetch result that was stored without it', async () => {
    const { handler, clock } = await opened()
    await new handler(request).set('f', fetched('1'), { fetchCache: true, tags: [] })
    const context = { kind: 'FETCH', tags: [], softTags: ['_N_T_/a'] }
    expect((await new handler(request).get('f', context))?.value).toEqual(fetched('1'))
    clock.advance(10)
    await new handler(request).revalidateTag('_N_T_/a')
    expect(await new handler(request).get('f', context)).toBeNull()
    expect(await new handler(request).get('f', { ...context, softTags: ['_N_T_/b'] })).not.toBeNull()
  })

  it('a stale fetch result is older than its time of revalidation', async () => {
    const { handler, clock } = await opened()
    await new handler(request).set('f', fetched('1', 600), { fetchCache: true, tags: ['t'] })
    clock.advance(10)
    await new handler(request).revalidateTag('t', { expire: 3600 })
    const found = await new handler(request).get('f', { kind: 'FETCH', tags: ['t'], revalidate: 900 })
    expect(clock.now() - (found?.lastModified ?? clock.now())).toBeGreaterThan(900_000)
  })

  it('a page of another build is not read, and a fetch result is', async () => {
    const backend = await open(inject('redisUrl'))
    const old = machineOn(backend)
    const next = machineOn(backend, { buildId: 'build-2', clock: old.clock })
    await new old.handler(request).set('/a', page('a'), {})
    await new old.handler(request).set('f', fetched('1'), { fetchCache: true, tags: [] })
    expect(await new next.handler(request).get('/a', pageContext)).toBeNull()
    expect(await new next.handler(request).get('f', { kind: 'FETCH' })).not.toBeNull()
  })
})

it('the handler has the type that Next expects', () => {
  expectTypeOf(nextCacheHandler).returns.toExtend<new (context: never) => Pick<CacheHandler, 'revalidateTag'>>()
})
