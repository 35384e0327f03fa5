import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { Cache, type CacheBackend } from '@cache/core'
import { FileBackend } from '@cache/file'
import { MemoryBackend } from '@cache/memory'
import { RedisBackend } from '@cache/redis'
import type {} from '@cache/workspace/redis-setup'
import { Agent, interceptors, request } from 'undici'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { UndiciStore } from '../src/undici/index.ts'

let requests = 0
let server: Server
let origin = ''

beforeAll(async () => {
  server = createServer((given, response) => {
    requests += 1
    response.setHeader('cache-control', given.url === '/private' ? 'no-store' : 'max-age=600')
    if (given.url === '/vary') response.setHeader('vary', 'accept')
    if (given.url === '/large') response.end('a'.repeat(5000))
    else response.end(`page ${requests}`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => void server.close())

async function backendOf(name: string): Promise<CacheBackend> {
  if (name === 'redis') return new RedisBackend({ url: inject('redisUrl'), prefix: `undici-${process.pid}:` })
  if (name === 'memory') return new MemoryBackend({ maxEntries: 1000 })
  const dir = await mkdtemp(join(tmpdir(), 'cache-undici-test-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return new FileBackend({ dir })
}

async function open(
  name: string,
  maxBodyBytes?: number,
): Promise<{ store: UndiciStore; text: (path: string, init?: object) => Promise<string> }> {
  const cache = new Cache({ backend: await backendOf(name) })
  await cache.clear()
  onTestFinished(() => cache.close())
  const store = new UndiciStore({ cache, maxBodyBytes })
  const agent = new Agent()
  onTestFinished(() => agent.close())
  const dispatcher = agent.compose(interceptors.cache({ store }))
  const text = async (path: string, init: object = {}): Promise<string> => {
    const { body } = await request(`${origin}${path}`, { dispatcher, ...init })
    return (await buffer(body)).toString()
  }
  return { store, text }
}

/** A value as undici makes it. */
function value(vary?: Record<string, string | null>): Parameters<UndiciStore['createWriteStream']>[1] {
  const now = Date.now()
  const more = vary === undefined ? {} : { vary }
  return {
    statusCode: 200,
    statusMessage: '',
    headers: {},
    cachedAt: now,
    staleAt: now + 60_000,
    deleteAt: now + 60_000,
    ...more,
  }
}

const key = { origin: 'https://shop.example', method: 'GET', path: '/' }

async function bodyOf(store: UndiciStore, headers: Record<string, string> = {}): Promise<string | undefined> {
  const found = await store.get({ ...key, headers })
  return found === undefined ? undefined : Buffer.concat(found.body).toString()
}

describe.each(['memory', 'file', 'redis'])('the store of undici on %s', (name) => {
  test('answers later requests of the real interceptor', async () => {
    const { text } = await open(name)
    const first = await text('/')
    expect(await text('/')).toBe(first)
    expect(await text('/private')).not.toBe(await text('/private'))
  })

  test('keeps variants apart, and an unsafe method removes them', async () => {
    const { text } = await open(name)
    const get = (accept: string): Promise<string> => text('/vary', { headers: { accept } })
    const both = [await get('a'), await get('b')]
    expect([await get('a'), await get('b')]).toEqual(both)
    await text('/vary', { method: 'POST' })
    expect(await get('a')).not.toBe(both[0])
  })

  test('gives a response right after the end of its stream', async () => {
    const { store } = await open(name)
    store.createWriteStream(key, value()).end('text')
    expect(await bodyOf(store)).toBe('text')
  })

  test('does not store a stream that is destroyed, or that ends after a removal', async () => {
    const { store } = await open(name)
    const broken = store.createWriteStream(key, value())
    broken.write('half')
    broken.destroy()
    const late = store.createWriteStream(key, value())
    late.write('old')
    await store.delete(key)
    late.end()
    await once(late, 'close')
    expect(await bodyOf(store)).toBeUndefined()
  })

  test('replaces a variant with the same values', async () => {
    const { store } = await open(name)
    store.createWriteStream(key, value({ accept: 'a' })).end('1')
    await bodyOf(store)
    store.createWriteStream(key, value({ accept: 'a' })).end('2')
    await bodyOf(store)
    store.createWriteStream(key, value({ accept: null })).end('3')
    expect([await bodyOf(store, { accept: 'a' }), await bodyOf(store), await bodyOf(store, { accept: 'b' })]).toEqual([
      '2',
      '3',
      undefined,
    ])
  })
})

test('a body larger than maxBodyBytes is not stored', async () => {
  const { text } = await open('memory', 1000)
  const before = requests
  expect([(await text('/large')).length, (await text('/large')).length, requests - before]).toEqual([5000, 5000, 2])
})

test('wrong options are refused', () => {
  const cache = new Cache({ backend: new MemoryBackend({ maxEntries: 1 }) })
  expect(() => new UndiciStore({ cache, maxBodyBytes: -1 })).toThrow('maxBodyBytes')
  expect(() => new UndiciStore({ cache: {} as Cache })).toThrow('cache')
})
