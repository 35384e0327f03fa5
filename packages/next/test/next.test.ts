import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type RedisServer, startRedis, waitUntil } from '@cache/workspace'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { NextServer, nextBuild } from './next-server.ts'

let redis: RedisServer
let origin: Server
let originRequests = 0
let buildLog: string
let env: Record<string, string>
const servers: NextServer[] = []

async function startServer(): Promise<NextServer> {
  const server = await NextServer.start(env)
  servers.push(server)
  return server
}

beforeAll(async () => {
  origin = createServer((request, response) => {
    originRequests += 1
    response.end(`${request.url} ${originRequests}`)
  }).listen(0, '127.0.0.1')
  await once(origin, 'listening')
  redis = await startRedis({ config: { appendonly: 'yes', appendfsync: 'always' } })
  env = { REDIS_URL: redis.url, ORIGIN_URL: `http://127.0.0.1:${(origin.address() as AddressInfo).port}` }
  buildLog = await nextBuild()
  await Promise.all([startServer(), startServer()])
}, 300_000)

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()))
  origin?.close()
  origin?.closeAllConnections()
  await redis?.stop()
})

/** The two servers of the fleet. */
function fleet(): [NextServer, NextServer] {
  return servers.slice(-2) as [NextServer, NextServer]
}

const options = { timeout: 30_000, every: 50 }

/** Resolves when the server answers with another text than `old`, to all its texts. */
function changed(
  server: NextServer,
  path: string,
  id: string,
  old: string | undefined,
): Promise<Record<string, string>> {
  return waitUntil(
    `${path} has a new ${id}`,
    async () => {
      const texts = await server.read(path)
      return texts[id] !== old ? texts : undefined
    },
    options,
  )
}

/** Resolves when both servers answer with the same text, to that text. */
async function agreed(path: string, id: string): Promise<string> {
  const [first, second] = fleet()
  return waitUntil(
    `both servers have the same ${id} of ${path}`,
    async () => {
      const [one, other] = [(await first.read(path))[id], (await second.read(path))[id]]
      return one === other ? one : undefined
    },
    options,
  )
}

it('a build opens no cache', () => {
  expect(buildLog).not.toContain('opened the cache')
  expect(buildLog).not.toContain('cache failed')
})

it('a page of one server is read by the other', async () => {
  const [first, second] = fleet()
  const made = await first.read('/isr/shared')
  expect(await second.read('/isr/shared')).toEqual(made)
  expect(await first.read('/isr/shared')).toEqual(made)
  expect((await second.read('/built')).render).toBe((await first.read('/built')).render)
})

it('revalidateTag of one server makes a new page with new data in the other', async () => {
  const [first, second] = fleet()
  const old = await first.read('/isr/tagged')
  expect(await second.read('/isr/tagged')).toEqual(old)
  await second.revalidate({ tag: 'origin-tagged', profile: { expire: 0 } })
  const texts = await changed(first, '/isr/tagged', 'data', old.data)
  expect(texts.render).not.toBe(old.render)
  expect(await agreed('/isr/tagged', 'render')).toBe(texts.render)
})

it('revalidateTag with a profile serves the old page while a new one is made', async () => {
  const [first, second] = fleet()
  const old = await first.read('/isr/stale')
  await first.revalidate({ tag: 'origin-stale', profile: 'max' })
  // The first answer is the old page.
  expect(await first.read('/isr/stale')).toEqual(old)
  await changed(first, '/isr/stale', 'data', old.data)
  await changed(second, '/isr/stale', 'data', old.data)
})

it('revalidatePath of one server makes a new page in the other', async () => {
  const [first, second] = fleet()
  const old = await first.read('/isr/path')
  expect(await second.read('/isr/path')).toEqual(old)
  await first.revalidate({ path: '/isr/path' })
  const texts = await changed(second, '/isr/path', 'render', old.render)
  expect(texts.data).not.toBe(old.data)
})

it("an entry of 'use cache' is shared, and updateTag of one server makes a new one in the other", async () => {
  const [first, second] = fleet()
  const old = (await first.read('/cached')).entry
  expect(old).toBeDefined()
  expect((await second.read('/cached')).entry).toBe(old)
  await first.submit('/cached')
  await changed(second, '/cached', 'entry', old)
  await changed(first, '/cached', 'entry', old)
  await agreed('/cached', 'entry')
})

it('a restart keeps pages and entries', async () => {
  const [first, second] = fleet()
  const kept = { ...(await first.read('/isr/kept')), ...(await first.read('/cached')) }
  await Promise.all([first.stop(), second.stop()])
  const requests = originRequests
  await Promise.all([startServer(), startServer()])
  for (const server of fleet()) {
    expect({ ...(await server.read('/isr/kept')), ...(await server.read('/cached')) }).toEqual(kept)
  }
  expect(originRequests).toBe(requests)
})

it('pages are served while Redis is down, and invalidations arrive when it is back', async () => {
  const [first, second] = fleet()
  const near = await first.read('/isr/near')
  const entry = await first.read('/cached')
  expect(await second.read('/isr/near')).toEqual(near)
  await second.read('/cached')
  await redis.kill()
  for (const server of fleet()) {
    expect(await server.read('/isr/near')).toEqual(near)
    expect(await server.read('/cached')).toEqual(entry)
    expect((await server.read('/isr/unknown')).data).toMatch('/unknown')
  }
  await first.revalidate({ tag: 'origin-near', profile: { expire: 0 } })
  const renewed = await first.read('/isr/near')
  expect(renewed.data).not.toBe(near.data)
  expect(await second.read('/isr/near')).toEqual(near)
  await redis.restart()
  await changed(second, '/isr/near', 'data', near.data)
})
