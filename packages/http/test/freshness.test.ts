import { describe, expect, test } from 'vitest'
import { counted, Rig, url } from './rig.ts'

async function isCached(rig: Rig, seconds: number): Promise<boolean> {
  await rig.text()
  rig.clock.advance(seconds)
  return (await rig.text()) === 'page 1'
}

describe('the lifetime of a response', () => {
  const cases: [string, Record<string, string>, number][] = [
    ['max-age', { 'cache-control': 'max-age=60' }, 60],
    ['s-maxage before max-age', { 'cache-control': 'max-age=10, s-maxage=60' }, 60],
    ['a quoted max-age', { 'cache-control': 'max-age="60"' }, 60],
    ['a directive in capitals', { 'cache-control': 'PUBLIC, MAX-AGE=60' }, 60],
    ['the smallest of several max-age', { 'cache-control': 'max-age=600, max-age=60' }, 60],
    ['max-age before Expires', { 'cache-control': 'max-age=60', expires: 'Thu, 01 Jan 2026 01:00:00 GMT' }, 60],
    ['Expires', { expires: 'Thu, 01 Jan 2026 00:01:00 GMT' }, 60],
    ['Expires by RFC 850', { expires: 'Thursday, 01-Jan-26 00:01:00 GMT' }, 60],
    ['Expires by asctime', { expires: 'Thu Jan  1 00:01:00 2026' }, 60],
    ['Age, which counts', { 'cache-control': 'max-age=100', age: '40' }, 60],
    ['Date, which counts', { 'cache-control': 'max-age=100', date: 'Wed, 31 Dec 2025 23:59:20 GMT' }, 60],
    ['a tenth of the age', { 'last-modified': 'Wed, 31 Dec 2025 23:50:00 GMT' }, 60],
  ]
  test.each(cases)('%s determines when a response is stale', async (_name, headers, seconds) => {
    expect(await isCached(new Rig(counted(headers)), seconds - 1)).toBe(true)
    expect(await isCached(new Rig(counted(headers)), seconds)).toBe(false)
  })

  const never: [string, Record<string, string>][] = [
    ['no field', {}],
    ['no-store', { 'cache-control': 'max-age=60, no-store' }],
    ['private', { 'cache-control': 'max-age=60, private' }],
    ['a qualified private', { 'cache-control': 'max-age=60, private="x-user"' }],
    ['s-maxage=0', { 'cache-control': 'max-age=60, s-maxage=0' }],
    ['a max-age with a fraction', { 'cache-control': 'max-age=60.5' }],
    ['Expires: 0', { expires: '0' }],
    ['Expires of no HTTP format', { expires: '2026-01-01T01:00:00Z' }],
    ['Expires on 31 February', { expires: 'Tue, 31 Feb 2026 00:00:00 GMT' }],
    ['Vary: *', { 'cache-control': 'max-age=60', vary: '*' }],
    ['Vary with * among others', { 'cache-control': 'max-age=60', vary: 'accept, *' }],
    ['Set-Cookie', { 'cache-control': 'public, max-age=60', 'set-cookie': 'id=1' }],
    ['Content-Range', { 'cache-control': 'max-age=60', 'content-range': 'bytes 0-1/2' }],
  ]
  test.each(never)('a response with %s is not reused', async (_name, headers) => {
    expect(await isCached(new Rig(counted(headers)), 0)).toBe(false)
  })

  test('heuristics: false needs an explicit lifetime', async () => {
    const rig = new Rig(counted({ 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' }), { heuristics: false })
    expect(await isCached(rig, 1)).toBe(false)
  })

  test('a targeted field replaces Cache-Control and Expires', async () => {
    const headers = { 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=60' }
    expect(await isCached(new Rig(counted(headers)), 1)).toBe(false)
    expect(await isCached(new Rig(counted(headers), { targetedFields: ['CDN-Cache-Control'] }), 1)).toBe(true)
    const ignored = { ...headers, 'cdn-cache-control': '' }
    expect(await isCached(new Rig(counted(ignored), { targetedFields: ['CDN-Cache-Control'] }), 1)).toBe(false)
  })
})

describe('the status of a response', () => {
  const explicit = { 'cache-control': 'max-age=60' }
  test.each([200, 203, 301, 302, 307, 308, 404, 410, 500, 503])(
    'a %d with an explicit lifetime is reused',
    async (status) => {
      expect(await isCached(new Rig(counted(explicit, status)), 1)).toBe(true)
    },
  )

  test.each([400, 401, 403, 405, 413, 414, 429, 431])(
    'a %d describes one request and is not reused',
    async (status) => {
      expect(await isCached(new Rig(counted(explicit, status)), 1)).toBe(false)
    },
  )

  test.each([302, 500, 501, 503])('a %d without an explicit lifetime is not reused', async (status) => {
    const headers = { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT', etag: '"1"' }
    expect(await isCached(new Rig(counted(headers, status)), 1)).toBe(false)
  })

  test('must-understand keeps an unknown status out', async () => {
    const headers = { 'cache-control': 'max-age=60, must-understand, no-store' }
    expect(await isCached(new Rig(counted(headers, 299)), 1)).toBe(false)
    expect(await isCached(new Rig(counted(headers, 200)), 1)).toBe(true)
  })
})

describe('what a client sees', () => {
  test('Age counts from the creation of the response', async () => {
    const rig = new Rig(counted({ 'cache-control': 'max-age=100', age: '7' }))
    await rig.text()
    rig.clock.advance(5)
    expect((await rig.get()).headers.get('age')).toBe('12')
  })

  test('Cache-Status names hits, misses and their reasons', async () => {
    const rig = new Rig(counted({ 'cache-control': 'max-age=60' }), { cacheStatus: 'edge' })
    const statuses = [(await rig.get()).headers.get('cache-status')]
    await rig.settled()
    statuses.push((await rig.get()).headers.get('cache-status'))
    statuses.push((await rig.get({ 'cache-control': 'no-cache' })).headers.get('cache-status'))
    statuses.push((await rig.send('POST')).headers.get('cache-status'))
    statuses.push((await rig.get({ range: 'bytes=0-1' })).headers.get('cache-status'))
    expect(statuses).toEqual([
      'edge; fwd=uri-miss; fwd-status=200; stored',
      'edge; hit; ttl=60',
      'edge; fwd=request; fwd-status=200; stored',
      'edge; fwd=method; fwd-status=200',
      'edge; fwd=bypass; fwd-status=200',
    ])
  })

  test('cacheStatus: false leaves the field as the origin set it', async () => {
    const rig = new Rig(counted({ 'cache-control': 'max-age=60', 'cache-status': 'inner; hit' }), {
      cacheStatus: false,
    })
    expect((await rig.get()).headers.get('cache-status')).toBe('inner; hit')
  })

  test('a member is added to the Cache-Status of another cache', async () => {
    const rig = new Rig(counted({ 'cache-control': 'max-age=60', 'cache-status': 'inner; hit' }), {
      cacheStatus: 'my edge',
    })
    await rig.text()
    expect((await rig.get()).headers.get('cache-status')).toBe('inner; hit, "my edge"; hit; ttl=60')
  })

  test('fields of the connection are neither stored nor sent', async () => {
    const headers = {
      'cache-control': 'max-age=60',
      connection: 'x-hop',
      'x-hop': '1',
      'keep-alive': '5',
      'x-kept': '1',
    }
    const rig = new Rig(counted(headers))
    for (let count = 0; count < 2; count += 1) {
      const response = await rig.get()
      await rig.settled()
      expect([...response.headers.keys()].filter((name) => /hop|alive|connection/.test(name))).toEqual([])
      expect(response.headers.get('x-kept')).toBe('1')
    }
  })

  test('a fragment is no part of the key', async () => {
    const rig = new Rig(counted({ 'cache-control': 'max-age=60' }))
    await rig.text({}, `${url}#a`)
    expect(await rig.text({}, `${url}#b`)).toBe('page 1')
    expect(await rig.text({}, `${url}?b`)).toBe('page 2')
  })
})
