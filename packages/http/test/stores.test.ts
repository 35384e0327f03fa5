import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cache, type CacheBackend } from '@cache/core'
import { FileBackend } from '@cache/file'
import { MemoryBackend } from '@cache/memory'
import { RedisBackend } from '@cache/redis'
import type {} from '@cache/workspace/redis-setup'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { HttpCache } from '../src/index.ts'

let count = 0

async function openStore(name: string): Promise<CacheBackend> {
  count += 1
  if (name === 'redis') return new RedisBackend({ url: inject('redisUrl'), prefix: `http-${process.pid}-${count}:` })
  if (name === 'memory') return new MemoryBackend({ maxEntries: 10_000 })
  const dir = await mkdtemp(join(tmpdir(), 'cache-http-test-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return new FileBackend({ dir })
}

interface Shop {
  get(
    path: string,
    headers?: Record<string, string>,
  ): Promise<{ text: string; bytes: Uint8Array; status: string | null }>
  http: HttpCache
  requests: () => number
}

/** A cache in front of an origin, on one of several connections to a store. */
function open(backend: CacheBackend, handler: (request: Request, count: number) => Response): Shop {
  const cache = new Cache({ backend, namespace: 'http' })
  onTestFinished(() => cache.close())
  const behind: Promise<unknown>[] = []
  const errors: unknown[] = []
  const http = new HttpCache({ cache, waitUntil: (work) => behind.push(work), onError: (error) => errors.push(error) })
  let requests = 0
  return {
    http,
    requests: () => requests,
    async get(path, headers = {}) {
      const request = new Request(`https://shop.example${path}`, { headers })
      const response = await http.fetch(request, async (sent) => {
        requests += 1
        return handler(sent, requests)
      })
      const bytes = new Uint8Array(await response.arrayBuffer())
      while (behind.length > 0) await behind.shift()
      expect(errors).toEqual([])
      return { text: new TextDecoder().decode(bytes), bytes, status: response.headers.get('cache-status') }
    },
  }
}

describe.each(['memory', 'file', 'redis'])('on %s', (name) => {
  test('a response is stored, with all bytes of its body', async () => {
    const body = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251)
    const shop = open(await openStore(name), () => new Response(body, { headers: { 'cache-control': 'max-age=600' } }))
    await shop.get('/a')
    const { bytes } = await shop.get('/a')
    expect(shop.requests()).toBe(1)
    expect(Buffer.compare(bytes, body)).toBe(0)
  })

  test('concurrent requests cause one request to the origin', async () => {
    const shop = open(await openStore(name), () => new Response('a', { headers: { 'cache-control': 'max-age=600' } }))
    await Promise.all(Array.from({ length: 200 }, () => shop.get('/a')))
    expect(shop.requests()).toBe(1)
  })

  test('variants are kept apart, and a purge removes them all', async () => {
    const headers = { 'cache-control': 'max-age=600', vary: 'accept' }
    const shop = open(
      await openStore(name),
      (request, n) => new Response(`${request.headers.get('accept')} ${n}`, { headers }),
    )
    const both = async (): Promise<string[]> => [
      (await shop.get('/a', { accept: 'x' })).text,
      (await shop.get('/a', { accept: 'y' })).text,
    ]
    expect([await both(), await both()]).toEqual([
      ['x 1', 'y 2'],
      ['x 1', 'y 2'],
    ])
    await shop.http.purge('https://shop.example/a')
    expect(await both()).toEqual(['x 3', 'y 4'])
  })

  test('tags remove responses, or make them stale', async () => {
    const headers = { 'cache-control': 'max-age=600', etag: '"1"', 'cache-tag': 'a' }
    const shop = open(await openStore(name), (request, n) =>
      request.headers.has('if-none-match')
        ? new Response(null, { status: 304 })
        : new Response(`page ${n}`, { headers }),
    )
    await shop.get('/a')
    await shop.http.purgeTag('a')
    expect((await shop.get('/a')).text).toBe('page 2')
    await shop.http.expireTag('a')
    expect([(await shop.get('/a')).text, shop.requests()]).toEqual(['page 2', 3])
    expect([(await shop.get('/a')).text, shop.requests()]).toEqual(['page 2', 3])
  })

  test('a URL of 8 KB is a key', async () => {
    const shop = open(
      await openStore(name),
      (_request, n) => new Response(`page ${n}`, { headers: { 'cache-control': 'max-age=600' } }),
    )
    const path = `/${'a'.repeat(8000)}`
    await shop.get(`${path}1`)
    expect([(await shop.get(`${path}1`)).text, (await shop.get(`${path}2`)).text]).toEqual(['page 1', 'page 2'])
  })

  test('a response that is not to be stored leaves the stale one', async () => {
    const shop = open(await openStore(name), (request, n) =>
      request.headers.has('if-none-match')
        ? new Response('error', { status: 500 })
        : new Response(`page ${n}`, { headers: { 'cache-control': 'no-cache', etag: '"1"' } }),
    )
    await shop.get('/a')
    expect((await shop.get('/a')).text).toBe('error')
    expect((await shop.get('/a')).text).toBe('error')
    expect(shop.requests()).toBe(3)
  })
})

describe('a store that fails', () => {
  test('leaves the origin in use, one request for concurrent ones, and is reported', async () => {
    const failing: CacheBackend = {
      name: 'failing',
      get: () => Promise.reject(new Error('store down')),
      set: () => Promise.reject(new Error('store down')),
      delete: () => Promise.reject(new Error('store down')),
      clear: () => Promise.reject(new Error('store down')),
    }
    const cache = new Cache({ backend: failing })
    const events: unknown[] = []
    cache.on('error', ({ error }) => events.push(error))
    const errors: unknown[] = []
    const behind: Promise<unknown>[] = []
    const http = new HttpCache({
      cache,
      onError: (error) => errors.push(error),
      waitUntil: (work) => behind.push(work),
    })
    let requests = 0
    const get = async (method: string): Promise<string> => {
      const response = await http.fetch(new Request('https://shop.example/', { method }), async () => {
        requests += 1
        return new Response(`page ${requests}`, { headers: { 'cache-control': 'max-age=60' } })
      })
      return response.text()
    }
    expect(new Set(await Promise.all([get('GET'), get('GET'), get('GET')]))).toEqual(new Set(['page 1']))
    await Promise.all(behind)
    expect(await get('GET')).toBe('page 2')
    expect(await get('POST')).toBe('page 3')
    expect(errors.length).toBeGreaterThan(0)
    expect(events.length).toBeGreaterThan(0)
    await expect(http.purge('https://shop.example/')).rejects.toThrow('store down')
  })
})
