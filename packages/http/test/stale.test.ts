import { describe, expect, test } from 'vitest'
import { counted, gate, Rig } from './rig.ts'

const down = (): Response => {
  throw new TypeError('connect ECONNREFUSED')
}

describe('stale-while-revalidate', () => {
  const headers = { 'cache-control': 'max-age=60, stale-while-revalidate=30' }

  test('serves the stale response while one request renews it', async () => {
    const rig = new Rig(counted(headers))
    await rig.text()
    rig.clock.advance(89)
    const { open, opened } = gate()
    rig.handler = async () => {
      await opened
      return new Response('new', { headers })
    }
    const answers = await Promise.all(Array.from({ length: 50 }, () => rig.get()))
    expect(new Set(await Promise.all(answers.map((answer) => answer.text())))).toEqual(new Set(['page 1']))
    expect(answers[0]?.headers.get('cache-status')).toBe('cache; hit; ttl=-29')
    expect(rig.seen.length).toBe(2)
    open()
    await rig.settled()
    expect([await rig.text(), rig.seen.length]).toEqual(['new', 2])
  })

  test('ends with its time', async () => {
    const rig = new Rig(counted(headers))
    await rig.text()
    rig.clock.advance(90)
    expect(await rig.text()).toBe('page 2')
  })

  test.each(['must-revalidate', 'proxy-revalidate', 'no-cache'])('is void with %s', async (directive) => {
    const rig = new Rig(counted({ 'cache-control': `${headers['cache-control']}, ${directive}`, etag: '"1"' }))
    await rig.text()
    rig.clock.advance(70)
    expect(await rig.text()).toBe('page 2')
  })

  test('tries again a second after a failure', async () => {
    const rig = new Rig(counted(headers))
    await rig.text()
    rig.clock.advance(70)
    rig.handler = down
    expect([await rig.text(), await rig.text(), rig.seen.length]).toEqual(['page 1', 'page 1', 2])
    rig.clock.advance(1)
    rig.handler = counted(headers)
    expect([await rig.text(), await rig.text()]).toEqual(['page 1', 'page 3'])
  })

  test('keeps the stale response where the renewal ends with an error of the origin', async () => {
    const rig = new Rig(counted(headers))
    await rig.text()
    rig.clock.advance(70)
    rig.handler = counted({}, 500)
    expect([await rig.text(), await rig.text(), rig.seen.length]).toEqual(['page 1', 'page 1', 2])
  })
})

describe('stale-if-error', () => {
  const headers = { 'cache-control': 'max-age=60, stale-if-error=30' }

  test.each([500, 502, 503, 504])('serves the stale response in place of a %d', async (status) => {
    const rig = new Rig(counted(headers))
    await rig.text()
    rig.clock.advance(89)
    rig.handler = counted({}, status)
    const response = await rig.get()
    expect([response.status, await response.text()]).toEqual([200, 'page 1'])
    rig.clock.advance(1)
    expect((await rig.get()).status).toBe(status)
  })

  test('covers an origin that cannot be reached, and ends with its time', async () => {
    const rig = new Rig(counted(headers))
    await rig.text()
    rig.clock.advance(89)
    rig.handler = down
    expect(await rig.text()).toBe('page 1')
    rig.clock.advance(1)
    await expect(rig.get()).rejects.toThrow('ECONNREFUSED')
  })

  test.each([404, 501])('does not cover a %d', async (status) => {
    const rig = new Rig(counted(headers))
    await rig.text()
    rig.clock.advance(61)
    rig.handler = counted({}, status)
    expect((await rig.get()).status).toBe(status)
  })

  test('of the request counts too', async () => {
    const rig = new Rig(counted({ 'cache-control': 'max-age=60' }))
    await rig.text()
    rig.clock.advance(70)
    rig.handler = counted({}, 503)
    expect(await rig.text({ 'cache-control': 'stale-if-error=20' })).toBe('page 1')
    expect((await rig.get()).status).toBe(503)
  })

  test('has a default in the option staleIfError', async () => {
    const rig = new Rig(counted({ 'cache-control': 'max-age=60' }), { staleIfError: '30s' })
    await rig.text()
    rig.clock.advance(89)
    rig.handler = counted({}, 503)
    expect(await rig.text()).toBe('page 1')
    rig.clock.advance(1)
    expect((await rig.get()).status).toBe(503)
  })
})

describe('an origin that cannot be reached', () => {
  test('leaves the stale response in use for keepStale', async () => {
    const rig = new Rig(counted({ 'cache-control': 'max-age=60' }), { keepStale: '1h' })
    await rig.text()
    rig.clock.advance(3600)
    rig.handler = down
    expect(await rig.text()).toBe('page 1')
    rig.clock.advance(61)
    await expect(rig.get()).rejects.toThrow('ECONNREFUSED')
  })

  test.each(['must-revalidate', 'proxy-revalidate', 's-maxage=60', 'no-cache'])(
    'makes the request fail where the response has %s',
    async (directive) => {
      const rig = new Rig(counted({ 'cache-control': `max-age=60, ${directive}`, etag: '"1"' }))
      await rig.text()
      rig.clock.advance(70)
      rig.handler = down
      await expect(rig.get()).rejects.toThrow('ECONNREFUSED')
    },
  )

  test('that sends nothing for the time limit does not hold later requests', async () => {
    const rig = new Rig(() => new Promise<Response>(() => {}), { timeout: '5s' })
    const both = [rig.get(), rig.get()].map((each) => expect(each).rejects.toThrow('within 5000 ms'))
    await expect.poll(() => rig.seen.length).toBe(1)
    rig.clock.advance(5)
    await Promise.all(both)
    rig.handler = counted({ 'cache-control': 'max-age=60' })
    expect([await rig.text(), await rig.text()]).toEqual(['page 2', 'page 2'])
  })

  test('that stops in the middle of a body does not hold later requests', async () => {
    const half = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('half')),
    })
    const headers = { 'cache-control': 'max-age=60' }
    const rig = new Rig(() => new Response(half, { headers }), { timeout: '5s' })
    const reading = expect((await rig.get()).text()).rejects.toThrow('no more of a body within 5000 ms')
    await expect.poll(() => rig.clock.timers).toBe(1)
    rig.clock.advance(5)
    await reading
    await rig.settled()
    rig.handler = counted(headers)
    expect([await rig.text(), await rig.text()]).toEqual(['page 2', 'page 2'])
  })
})
