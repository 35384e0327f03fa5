import { describe, expect, test } from 'vitest'
import { counted, Rig } from './rig.ts'

const fresh = { 'cache-control': 'max-age=60', etag: '"1"' }

describe('a directive of the request', () => {
  const renewing: [string, Record<string, string>][] = [
    ['no-cache', { 'cache-control': 'no-cache' }],
    ['Pragma: no-cache', { pragma: 'no-cache' }],
    ['max-age below the age', { 'cache-control': 'max-age=5' }],
    ['min-fresh above the rest', { 'cache-control': 'min-fresh=55' }],
    ['no-store', { 'cache-control': 'no-store' }],
  ]
  test.each(renewing)('%s asks the origin', async (_name, headers) => {
    const rig = new Rig(counted(fresh))
    await rig.text()
    rig.clock.advance(10)
    expect(await rig.text(headers)).toBe('page 2')
  })

  test.each(renewing)('%s has no effect with requestDirectives: false', async (_name, headers) => {
    const rig = new Rig(counted(fresh), { requestDirectives: false })
    await rig.text()
    rig.clock.advance(10)
    expect(await rig.text(headers)).toBe('page 1')
  })

  test.each([['max-age=20'], ['min-fresh=20'], ['max-stale=20']])(
    '%s accepts a response that satisfies it',
    async (cc) => {
      const rig = new Rig(counted(fresh))
      await rig.text()
      rig.clock.advance(10)
      expect(await rig.text({ 'cache-control': cc })).toBe('page 1')
    },
  )

  test('no-store keeps the response out', async () => {
    const rig = new Rig(counted(fresh))
    await rig.text({ 'cache-control': 'no-store' })
    expect(await rig.text()).toBe('page 2')
  })

  test('max-stale accepts a response that is stale for so long', async () => {
    const rig = new Rig(counted(fresh))
    await rig.text()
    rig.clock.advance(70)
    expect(await rig.text({ 'cache-control': 'max-stale=10' })).toBe('page 1')
    expect(await rig.text({ 'cache-control': 'max-stale' })).toBe('page 1')
    expect(await rig.text({ 'cache-control': 'max-stale=9' })).toBe('page 2')
  })

  test.each(['must-revalidate', 'proxy-revalidate', 's-maxage=60', 'no-cache'])(
    '%s of the response forbids max-stale',
    async (directive) => {
      const rig = new Rig(counted({ ...fresh, 'cache-control': `max-age=60, ${directive}` }))
      await rig.text()
      rig.clock.advance(70)
      expect(await rig.text({ 'cache-control': 'max-stale' })).toBe('page 2')
    },
  )

  test('only-if-cached is answered with 504 when there is nothing', async () => {
    const rig = new Rig(counted(fresh))
    const response = await rig.get({ 'cache-control': 'only-if-cached' })
    expect([response.status, rig.seen.length]).toEqual([504, 0])
    await rig.text()
    expect((await rig.get({ 'cache-control': 'only-if-cached' })).status).toBe(200)
  })
})

describe('a request with credentials', () => {
  const credentials = { authorization: 'Bearer a' }

  test('gets a response that nobody else gets', async () => {
    const rig = new Rig(counted(fresh))
    expect(await rig.text(credentials)).toBe('page 1')
    expect(await rig.text(credentials)).toBe('page 2')
    expect(await rig.text()).toBe('page 3')
  })

  test.each(['public', 's-maxage=60', 'must-revalidate'])('shares a response with %s', async (directive) => {
    const rig = new Rig(counted({ 'cache-control': `max-age=60, ${directive}` }))
    expect(await rig.text(credentials)).toBe('page 1')
    expect(await rig.text({ authorization: 'Bearer b' })).toBe('page 1')
  })

  test('does not get the page of anonymous clients', async () => {
    const rig = new Rig(counted(fresh))
    await rig.text()
    expect(await rig.text(credentials)).toBe('page 2')
    expect(await rig.text()).toBe('page 1')
  })
})

describe('HEAD', () => {
  test('is answered from the stored response to GET', async () => {
    const rig = new Rig(counted(fresh))
    await rig.text()
    const response = await rig.send('HEAD')
    expect([await response.text(), response.headers.get('content-length'), rig.seen.length]).toEqual(['', '6', 1])
  })

  test('is forwarded as HEAD, and its response is not stored', async () => {
    const rig = new Rig(
      (request, count) => new Response(request.method === 'HEAD' ? null : `page ${count}`, { headers: fresh }),
    )
    await rig.send('HEAD')
    expect(await rig.text()).toBe('page 2')
    expect(rig.seen.map((request) => request.method)).toEqual(['HEAD', 'GET'])
  })

  test('removes a stored response that it disagrees with', async () => {
    const rig = new Rig(counted(fresh))
    await rig.text()
    rig.clock.advance(61)
    rig.handler = () => new Response(null, { headers: { etag: '"2"', 'cache-control': 'max-age=60' } })
    await rig.send('HEAD')
    rig.handler = counted(fresh)
    await rig.text()
    expect(rig.seen.at(-1)?.headers.get('if-none-match')).toBeNull()
  })
})

describe('a request that bypasses the cache', () => {
  const bypassing: [string, Record<string, string>][] = [
    ['Range', { range: 'bytes=0-1' }],
    ['If-Match', { 'if-match': '"1"' }],
    ['X-HTTP-Method-Override', { 'x-http-method-override': 'DELETE' }],
    ['X-Method-Override', { 'x-method-override': 'POST' }],
    ['X-HTTP-Method', { 'x-http-method': 'POST' }],
  ]
  test.each(bypassing)('%s neither reads nor fills the cache', async (_name, headers) => {
    const rig = new Rig(counted(fresh))
    expect(await rig.text(headers)).toBe('page 1')
    expect(await rig.text()).toBe('page 2')
    expect(await rig.text(headers)).toBe('page 3')
    expect(await rig.text()).toBe('page 2')
  })
})

describe('an unsafe method', () => {
  const other = 'https://shop.example/other'

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'FOO'])('%s removes the stored response', async (method) => {
    const rig = new Rig(counted(fresh))
    await rig.text()
    await rig.send(method)
    expect(await rig.text()).toBe('page 3')
  })

  test('leaves it where the origin reports an error', async () => {
    const rig = new Rig(
      (request, count) =>
        new Response(`page ${count}`, { headers: fresh, status: request.method === 'GET' ? 200 : 500 }),
    )
    await rig.text()
    await rig.send('POST')
    expect(await rig.text()).toBe('page 1')
  })

  test.each(['location', 'content-location'])('removes the URL in %s', async (field) => {
    const rig = new Rig(counted({ ...fresh, [field]: '/other' }))
    await rig.text({}, other)
    await rig.send('POST')
    expect(await rig.text({}, other)).toBe('page 3')
  })

  test('does not remove the URL of another origin', async () => {
    const rig = new Rig(counted({ ...fresh, location: 'http://shop.example/other' }))
    await rig.text({}, 'http://shop.example/other')
    await rig.send('POST')
    expect(await rig.text({}, 'http://shop.example/other')).toBe('page 1')
  })

  test('OPTIONS is safe and removes nothing', async () => {
    const rig = new Rig(counted(fresh))
    await rig.text()
    await rig.send('OPTIONS')
    expect(await rig.text()).toBe('page 1')
  })
})
