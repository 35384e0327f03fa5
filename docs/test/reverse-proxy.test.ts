import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Cache } from '@cache/core'
import { HttpCache } from '@cache/http'
import { MemoryBackend } from '@cache/memory'
import { afterAll, describe, expect, it } from 'vitest'
import { reverseProxy } from '../examples/reverse-proxy/proxy.ts'
import { exceptions } from './http-tests/exceptions.ts'
import { runHttpTests } from './http-tests/run-http-tests.ts'

const open: Server[] = []

async function listen(server: Server): Promise<URL> {
  open.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

/** The address of a proxy in front of an origin. */
async function proxied(origin: RequestListener): Promise<URL> {
  const target = await listen(createServer(origin))
  const cache = new Cache({ backend: new MemoryBackend({ maxEntries: 10_000 }) })
  return listen(reverseProxy(new HttpCache({ cache, cacheStatus: 'proxy' }), target))
}

afterAll(() => {
  for (const server of open) {
    server.closeAllConnections()
    server.close()
  }
})

describe('the example of a reverse proxy', () => {
  it('sends one request to the origin for concurrent ones', async () => {
    let requests = 0
    const url = await proxied((_request, response) => {
      requests += 1
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end('a'.repeat(100_000))
    })
    const texts = await Promise.all(Array.from({ length: 100 }, async () => (await fetch(url)).text()))
    expect([requests, new Set(texts.map((text) => text.length))]).toEqual([1, new Set([100_000])])
    expect((await fetch(url)).headers.get('cache-status')).toMatch(/^proxy; hit; ttl=\d+$/)
  })

  it('sends the body of a POST on', async () => {
    const url = await proxied((request, response) => void request.pipe(response))
    expect(await (await fetch(url, { method: 'POST', body: 'text' })).text()).toBe('text')
  })

  it('answers 502 when the origin is gone', async () => {
    const url = await proxied((request) => request.socket.destroy())
    expect((await fetch(url)).status).toBe(502)
  })

  it('breaks the connection when the body of the origin does, and does not store it', async () => {
    let requests = 0
    const url = await proxied((_request, response) => {
      requests += 1
      if (requests > 1) return void response.end('whole')
      response.writeHead(200, { 'cache-control': 'max-age=60', 'content-length': 100 })
      response.write('half', () => response.destroy())
    })
    await expect(fetch(url).then((response) => response.text())).rejects.toThrow()
    expect(await (await fetch(url)).text()).toBe('whole')
  })
})

describe('the suite of http-tests', () => {
  it('finds no broken rule besides the exceptions', async () => {
    const { failures, passed } = await runHttpTests(proxied)
    expect(failures.map(({ id }) => id).toSorted(), JSON.stringify(failures, undefined, 2)).toEqual(
      Object.keys(exceptions).toSorted(),
    )
    expect(passed).toBeGreaterThan(200)
  }, 120_000)
})
