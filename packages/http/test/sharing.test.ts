import { describe, expect, test } from 'vitest'
import { counted, gate, Rig } from './rig.ts'

const fresh = { 'cache-control': 'max-age=60' }
const kilobyte = new Uint8Array(1024).fill(97)

/** A body of so many kilobytes, of which each is sent when `wanted` of it is asked for. Counts those that were sent. */
function kilobytes(
  count: number,
  end: 'close' | 'error' = 'close',
): { body: ReadableStream<Uint8Array>; sent: () => number; isCancelled: () => boolean } {
  let sent = 0
  let cancelled = false
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (sent === count) {
          if (end === 'close') controller.close()
          else controller.error(new Error('connection lost'))
          return
        }
        sent += 1
        controller.enqueue(kilobyte)
      },
      cancel() {
        cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { body, sent: () => sent, isCancelled: () => cancelled }
}

describe('concurrent requests', () => {
  test('a thousand requests cause one request to the origin', async () => {
    const { open, opened } = gate()
    const rig = new Rig(async (_request, count) => {
      await opened
      return new Response(`page ${count}`, { headers: fresh })
    })
    const answers = Array.from({ length: 1000 }, () => rig.get())
    await expect.poll(() => rig.seen.length).toBe(1)
    open()
    const responses = await Promise.all(answers)
    expect(new Set(await Promise.all(responses.map((response) => response.text())))).toEqual(new Set(['page 1']))
    expect(rig.seen.length).toBe(1)
    expect(responses[999]?.headers.get('cache-status')).toBe('cache; fwd=uri-miss; collapsed; fwd-status=200; stored')
  })

  test('a request that comes while the body arrives joins', async () => {
    const { open, opened } = gate()
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(kilobyte)
        await opened
        controller.enqueue(kilobyte)
        controller.close()
      },
    })
    const rig = new Rig(() => new Response(body, { headers: fresh }))
    const first = await rig.get()
    const second = await rig.get()
    open()
    expect([(await first.text()).length, (await second.text()).length, rig.seen.length]).toEqual([2048, 2048, 1])
  })

  test('one validation serves all that wait', async () => {
    const rig = new Rig(counted({ ...fresh, etag: '"1"' }))
    await rig.text()
    rig.clock.advance(60)
    rig.handler = () => new Response(null, { status: 304 })
    const responses = await Promise.all(Array.from({ length: 100 }, () => rig.get()))
    expect(new Set(await Promise.all(responses.map((response) => response.text())))).toEqual(new Set(['page 1']))
    expect(rig.seen.length).toBe(2)
  })

  const unshared: [string, Record<string, string>, number][] = [
    ['private', { 'cache-control': 'private, max-age=60' }, 200],
    ['no-store', { 'cache-control': 'no-store' }, 200],
    ['Set-Cookie', { ...fresh, 'set-cookie': 'id=1' }, 200],
    ['Vary: *', { ...fresh, vary: '*' }, 200],
    ['status 500', {}, 500],
    ['status 400', fresh, 400],
    ['no lifetime', {}, 200],
  ]
  test.each(unshared)('each gets a response of its own with %s', async (_name, headers, status) => {
    const rig = new Rig(counted(headers, status))
    const texts = await Promise.all(Array.from({ length: 20 }, () => rig.get().then((response) => response.text())))
    expect(new Set(texts).size).toBe(20)
    expect(rig.seen.length).toBe(20)
  })

  test('requests for a response that cannot be shared do not wait for each other', async () => {
    const gates = [gate(), gate(), gate()]
    const rig = new Rig(async (_request, count) => {
      if (count > 1) await gates[count - 2]?.opened
      return new Response(`page ${count}`, { headers: { 'cache-control': 'private' } })
    })
    await rig.text()
    const waiting = [rig.get(), rig.get(), rig.get()]
    await expect.poll(() => rig.seen.length).toBe(4)
    for (const each of gates) each.open()
    expect(await Promise.all(waiting.map(async (each) => (await each).text()))).toEqual(['page 2', 'page 3', 'page 4'])
  })

  test('a response that may be shared again is stored by the request after it', async () => {
    const rig = new Rig(counted({ 'cache-control': 'private' }))
    await rig.text()
    rig.handler = counted(fresh)
    expect([await rig.text(), await rig.text(), await rig.text()]).toEqual(['page 2', 'page 3', 'page 3'])
  })

  test('a request with no-cache does not join a load whose response was sent before', async () => {
    const { open, opened } = gate()
    const rig = new Rig((_request, count) => {
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          if (count === 1) await opened
          controller.enqueue(new TextEncoder().encode(`page ${count}`))
          controller.close()
        },
      })
      return new Response(body, { headers: fresh })
    })
    const first = await rig.get()
    const second = rig.get({ 'cache-control': 'no-cache' })
    open()
    expect([await first.text(), await (await second).text()]).toEqual(['page 1', 'page 2'])
  })

  test('a failed load rejects all that wait, and the next request tries again', async () => {
    const rig = new Rig(() => {
      throw new TypeError('connect ECONNREFUSED')
    })
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => rig.get()))
    expect([new Set(results.map((result) => result.status)), rig.seen.length]).toEqual([new Set(['rejected']), 1])
    rig.handler = counted(fresh)
    expect(await rig.text()).toBe('page 2')
  })

  test('a client that leaves does not end the load for the others', async () => {
    const { open, opened } = gate()
    const rig = new Rig(async (request) => {
      await opened
      request.signal.throwIfAborted()
      return new Response('page', { headers: fresh })
    })
    const leaving = new AbortController()
    const first = rig.http.fetch(new Request('https://shop.example/page', { signal: leaving.signal }), rig.origin)
    const second = rig.get()
    leaving.abort()
    open()
    expect([await (await first).text(), await (await second).text()]).toEqual(['page', 'page'])
  })
})

describe('a body', () => {
  test('a slow reader does not delay the others', async () => {
    const { body } = kilobytes(100)
    const rig = new Rig(() => new Response(body, { headers: fresh }))
    const [slow, fast] = await Promise.all([rig.get(), rig.get()])
    expect((await fast.text()).length).toBe(102_400)
    await rig.settled()
    expect([(await rig.text()).length, (await slow.text()).length]).toEqual([102_400, 102_400])
  })

  test('larger than maxBodyBytes is streamed at the pace of its reader, and not stored', async () => {
    const large = kilobytes(1000)
    const rig = new Rig(() => new Response(large.body, { headers: fresh }), { maxBodyBytes: 10_240 })
    const reader = (await rig.get()).body?.getReader()
    await reader?.read()
    await expect.poll(large.sent).toBe(11)
    let bytes = 1024
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read())
      bytes += part.value.byteLength
    expect(bytes).toBe(1_024_000)
    rig.handler = counted(fresh)
    expect([await rig.text(), await rig.text()]).toEqual(['page 2', 'page 3'])
  })

  test('larger than maxBodyBytes fails for a reader that falls behind, and not for others', async () => {
    const large = kilobytes(100)
    const rig = new Rig(() => new Response(large.body, { headers: fresh }), { maxBodyBytes: 10_240 })
    const [slow, fast] = await Promise.all([rig.get(), rig.get()])
    expect((await fast.text()).length).toBe(102_400)
    await expect(slow.text()).rejects.toThrow('fell more than 10240 bytes behind')
  })

  test('that declares too large a length is not shared', async () => {
    const rig = new Rig(() => new Response(kilobytes(20).body, { headers: { ...fresh, 'content-length': '20480' } }), {
      maxBodyBytes: 10_240,
    })
    const [one, two] = await Promise.all([rig.get(), rig.get()])
    expect([(await one.text()).length, (await two.text()).length, rig.seen.length]).toEqual([20_480, 20_480, 2])
  })

  test('that nobody reads any longer is cancelled when it is too large to be stored', async () => {
    const large = kilobytes(1000)
    const rig = new Rig(() => new Response(large.body, { headers: fresh }), { maxBodyBytes: 10_240 })
    await (await rig.get()).body?.cancel()
    await expect.poll(large.isCancelled).toBe(true)
  })

  test('that nobody reads any longer is stored all the same', async () => {
    const rig = new Rig(() => new Response(kilobytes(10).body, { headers: fresh }))
    await (await rig.get()).body?.cancel()
    await rig.settled()
    expect([(await rig.text()).length, rig.seen.length]).toEqual([10_240, 1])
  })

  test('that ends with an error is not stored, and its readers get the error', async () => {
    const rig = new Rig(() => new Response(kilobytes(5, 'error').body, { headers: fresh }))
    const [one, two] = await Promise.all([rig.get(), rig.get()])
    await expect(one.text()).rejects.toThrow('connection lost')
    await expect(two.text()).rejects.toThrow('connection lost')
    await rig.settled()
    rig.handler = counted(fresh)
    expect(await rig.text()).toBe('page 2')
  })

  test.each(['9', '11'])('of 10 bytes with Content-Length %s is not stored', async (length) => {
    const rig = new Rig(() => new Response('0123456789', { headers: { ...fresh, 'content-length': length } }))
    await expect((await rig.get()).text()).rejects.toThrow(`after 10 of ${length} bytes`)
    await rig.settled()
    rig.handler = counted(fresh)
    expect(await rig.text()).toBe('page 2')
  })

  test('that is empty is stored', async () => {
    const rig = new Rig(() => new Response(null, { status: 204, headers: fresh }))
    await rig.text()
    expect([(await rig.get()).status, rig.seen.length]).toEqual([204, 1])
  })

  test('that fetch has decoded loses the fields of its coding', async () => {
    const rig = new Rig(() => {
      const response = new Response('decoded', {
        headers: { ...fresh, 'content-encoding': 'gzip', 'content-length': '99', etag: '"1"' },
      })
      return Object.defineProperty(response, 'url', { value: 'https://shop.example/page' })
    })
    const response = await rig.get()
    expect(['content-encoding', 'content-length', 'etag'].map((name) => response.headers.get(name))).toEqual([
      null,
      null,
      'W/"1"',
    ])
    expect([await response.text(), await rig.text(), rig.seen.length]).toEqual(['decoded', 'decoded', 1])
  })
})
