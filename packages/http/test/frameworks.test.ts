import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { Cache } from '@cache/core'
import { MemoryBackend } from '@cache/memory'
import { getRequestListener } from '@hono/node-server'
import compression from 'compression'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { afterAll, describe, expect, test } from 'vitest'
import { expressCache } from '../src/express/index.ts'
import { fastifyCache } from '../src/fastify/index.ts'
import { honoCache } from '../src/hono/index.ts'
import { HttpCache } from '../src/index.ts'
import { cachedListener } from '../src/node/index.ts'
import { TestClock } from './rig.ts'

/** What a page of each framework is made of. */
interface Page {
  readonly status?: number
  readonly headers: Record<string, string>
  readonly text: string
  readonly isStream?: boolean
}
type MakePage = (headers: Record<string, unknown>) => Page | Promise<Page>
/** Starts an application with the cache, whose every path is the page. */
type Start = (http: HttpCache, page: MakePage) => Promise<RequestListener>

const frameworks: [string, Start][] = [
  [
    'node:http',
    async (http, page) =>
      cachedListener(http, async (request, response) => {
        const { status = 200, headers, text, isStream } = await page(request.headers)
        response.writeHead(status, headers)
        if (isStream === true) Readable.from([text.slice(0, 2), text.slice(2)]).pipe(response)
        else response.end(text)
      }),
  ],
  [
    'Express 5',
    async (http, page) => {
      const app = express()
      app.use(expressCache(http))
      app.use(async (request, response) => {
        const { status = 200, headers, text, isStream } = await page(request.headers)
        response.status(status).set(headers)
        if (isStream === true) Readable.from([text.slice(0, 2), text.slice(2)]).pipe(response)
        else response.send(text)
      })
      return app
    },
  ],
  [
    'Fastify 5',
    async (http, page) => {
      const app = Fastify()
      await app.register(fastifyCache, { cache: http })
      app.all('*', async (request, reply) => {
        const { status = 200, headers, text, isStream } = await page(request.headers)
        reply.code(status).headers(headers)
        return reply.send(isStream === true ? Readable.from([text.slice(0, 2), text.slice(2)]) : text)
      })
      await app.ready()
      return app.routing
    },
  ],
  [
    'Hono 4',
    async (http, page) => {
      const app = new Hono()
      app.use(honoCache(http, { renew: app.fetch }))
      app.all('*', async (context) => {
        const { status = 200, headers, text, isStream } = await page(context.req.header())
        const body = isStream === true ? (Readable.toWeb(Readable.from([Buffer.from(text)])) as ReadableStream) : text
        return new Response([204, 304].includes(status) ? null : body, { status, headers })
      })
      return getRequestListener(app.fetch)
    },
  ],
]

const open: Server[] = []

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  open.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

afterAll(() => {
  for (const server of open) {
    server.closeAllConnections()
    server.close()
  }
})

function newCache(): { http: HttpCache; clock: TestClock; settled(): Promise<void> } {
  const clock = new TestClock()
  const cache = new Cache({ backend: new MemoryBackend({ maxEntries: 1000, clock }), clock })
  const behind: Promise<unknown>[] = []
  const http = new HttpCache({ cache, clock, waitUntil: (work) => behind.push(work) })
  const settled = async (): Promise<void> => {
    while (behind.length > 0) await behind.shift()
  }
  return { http, clock, settled }
}

const fresh = { 'cache-control': 'max-age=60', 'content-type': 'text/plain; charset=utf-8', etag: '"e"' }

describe.each(frameworks)('%s', (_name, start) => {
  async function run(page: MakePage): Promise<ReturnType<typeof newCache> & { url: string; requests: () => number }> {
    let requests = 0
    const rig = newCache()
    const url = await listen(
      await start(rig.http, (headers) => {
        requests += 1
        return page(headers)
      }),
    )
    return { ...rig, url, requests: () => requests }
  }

  test.each([false, true])('answers later requests from the cache (stream: %s)', async (isStream) => {
    const app = await run(() => ({ headers: fresh, text: 'pägé', isStream }))
    const seen = async (): Promise<unknown[]> => {
      const response = await fetch(`${app.url}/a?b=c`)
      const text = await response.text()
      await app.settled()
      return [
        response.status,
        text,
        response.headers.get('content-type'),
        response.headers.get('cache-status')?.split(';')[1],
      ]
    }
    const type = fresh['content-type']
    expect([await seen(), await seen()]).toEqual([
      [200, 'pägé', type, ' fwd=uri-miss'],
      [200, 'pägé', type, ' hit'],
    ])
    expect(app.requests()).toBe(1)
  })

  test('sends one of concurrent requests to the handler', async () => {
    let release = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const app = await run(async () => {
      await released
      return { headers: fresh, text: 'page' }
    })
    const answers = Array.from({ length: 50 }, async () => (await fetch(app.url)).text())
    await expect.poll(app.requests).toBe(1)
    release()
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['page']))
    expect(app.requests()).toBe(1)
  })

  test('answers conditional requests and HEAD from the cache', async () => {
    const app = await run(() => ({ headers: fresh, text: 'page' }))
    await (await fetch(app.url)).text()
    await app.settled()
    const conditional = await fetch(app.url, {
      headers: { 'if-none-match': '"e"' },
      cache: 'force-cache',
    } as RequestInit)
    const head = await fetch(app.url, { method: 'HEAD' })
    expect([conditional.status, head.status, head.headers.get('content-length'), app.requests()]).toEqual([
      304,
      200,
      '4',
      1,
    ])
  })

  test('does not store an error or a cookie', async () => {
    let count = 0
    const app = await run(() => {
      count += 1
      return count === 1
        ? { status: 500, headers: { 'content-type': 'text/plain' }, text: 'error' }
        : { headers: { ...fresh, 'set-cookie': `id=${count}` }, text: 'mine' }
    })
    const texts: unknown[] = []
    for (let time = 0; time < 3; time += 1) {
      const response = await fetch(app.url)
      texts.push([response.status, await response.text(), response.headers.get('set-cookie')])
    }
    expect(texts).toEqual([
      [500, 'error', null],
      [200, 'mine', 'id=2'],
      [200, 'mine', 'id=3'],
    ])
  })

  test('renews a stale response behind the answer', async () => {
    let count = 0
    const headers = { ...fresh, 'cache-control': 'max-age=60, stale-while-revalidate=60' }
    const app = await run(() => {
      count += 1
      return { headers: { ...headers, etag: `"${count}"` }, text: `page ${count}` }
    })
    const text = async (): Promise<string> => {
      const given = await (await fetch(app.url)).text()
      await app.settled()
      return given
    }
    await text()
    app.clock.advance(61)
    expect([await text(), await text(), count]).toEqual(['page 1', 'page 2', 2])
  })

  test('sends other methods to the handler, which removes the stored response', async () => {
    let count = 0
    const app = await run(() => {
      count += 1
      return { headers: fresh, text: `page ${count}` }
    })
    const text = async (init: RequestInit = {}): Promise<string> => {
      const given = await (await fetch(app.url, init)).text()
      await app.settled()
      return given
    }
    expect([await text(), await text({ method: 'POST' }), await text(), await text()]).toEqual([
      'page 1',
      'page 2',
      'page 3',
      'page 3',
    ])
  })
})

test('Express middleware after the cache may compress the response', async () => {
  const { http, settled } = newCache()
  const app = express()
  app.use(expressCache(http))
  app.use(compression({ threshold: 0 }))
  let requests = 0
  app.get('/', (_request, response) => {
    requests += 1
    response.set('cache-control', 'max-age=60').send('a'.repeat(5000))
  })
  const url = await listen(app)
  for (const encoding of ['gzip', 'identity', 'gzip', 'identity']) {
    const response = await fetch(url, { headers: { 'accept-encoding': encoding } })
    expect([response.headers.get('content-encoding'), (await response.text()).length]).toEqual([
      encoding === 'gzip' ? 'gzip' : null,
      5000,
    ])
    await settled()
  }
  expect(requests).toBe(2)
})

test('Express validates a stale response without sending its page again', async () => {
  const { http, settled, clock } = newCache()
  const app = express()
  app.use(expressCache(http))
  app.get('/', (_request, response) => void response.set('cache-control', 'max-age=60').send('page'))
  const url = await listen(app)
  await (await fetch(url)).text()
  await settled()
  clock.advance(60)
  const response = await fetch(url)
  expect([await response.text(), response.headers.get('cache-status')]).toEqual([
    'page',
    'cache; fwd=stale; fwd-status=304',
  ])
})

test('Hono without renew validates a stale response before the answer', async () => {
  const { http, clock, settled } = newCache()
  const app = new Hono()
  app.use(honoCache(http))
  let count = 0
  app.get('/', () => {
    count += 1
    return new Response(`page ${count}`, { headers: { 'cache-control': 'max-age=60, stale-while-revalidate=60' } })
  })
  await (await app.request('/')).text()
  await settled()
  clock.advance(61)
  expect(await (await app.request('/')).text()).toBe('page 2')
})
