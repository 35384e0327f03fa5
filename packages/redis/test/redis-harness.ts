import { frame } from '@cache/codecs'
import type { CacheBackend } from '@cache/core/backend'
import type { Harness, Means } from '@cache/core/conformance'
import { type TcpProxy, tcpProxy } from '@cache/workspace'
import { Redis } from 'ioredis'
import { RedisBackend, type RedisBackendOptions } from '../src/index.ts'

let count = 0

export interface RedisHarnessOptions {
  readonly name: string
  /** URL of the server. */
  readonly url: string
  /** Options besides the URL. */
  readonly options?: Omit<RedisBackendOptions, 'url' | 'client' | 'cluster'>
  /** Restarts the server with its data. */
  readonly restart?: () => Promise<void>
}

/** Runs every rule on its own unused prefix. A proxy that can be cut leads to the server. */
export function redisHarness({ name, url, options, restart }: RedisHarnessOptions): Harness {
  let proxy: TcpProxy | undefined
  let prefix = ''
  let raw: Redis | undefined

  const admin = (): Redis => {
    raw ??= new Redis(url)
    return raw
  }
  // Short only where the rule breaks the server: elsewhere a slow machine must not look like a broken backend.
  let timeout = 15_000
  const begin = async (means: readonly Means[] = []): Promise<void> => {
    timeout = means.includes('break') || means.includes('freeze') ? 1000 : 15_000
    prefix = `suite:${process.pid}:${++count}:`
    proxy ??= await tcpProxy(url)
  }
  const open = (own = prefix): CacheBackend =>
    new RedisBackend({ url: proxy?.url ?? url, timeout, connectTimeout: timeout, ...options, prefix: own })

  return {
    name,
    values: 'copies',
    async open(means) {
      await begin(means)
      return open()
    },
    openSecond: () => open(),
    openOther: () => open(`other:${prefix}`),
    async openMany(many) {
      await begin()
      return Array.from({ length: many }, () => open())
    },
    async openInjected() {
      await begin()
      const client = new Redis(url)
      return {
        backend: new RedisBackend({ client, ...options, prefix }),
        works: async () => {
          await client.ping()
        },
        end: () => client.disconnect(),
      }
    },
    async corrupt(key, damage) {
      const bytes = (await admin().getBuffer(prefix + key)) as Buffer
      const damaged = { garbage: Buffer.from([0xff, 0, 0x7b, 0x31]), truncated: bytes.subarray(0, 6), empty: '' }
      await admin().set(prefix + key, damaged[damage])
    },
    async futureFormat(key) {
      const bytes = (await admin().getBuffer(prefix + key)) as Buffer
      bytes[0] = frame.formatVersion + 1
      await admin().set(prefix + key, bytes)
    },
    ...(restart === undefined
      ? {}
      : {
          reopen: async () => {
            raw?.disconnect()
            raw = undefined
            await restart()
            return open()
          },
        }),
    break: () => proxy?.cut(),
    heal: () => proxy?.heal(),
    failureBound: 1500,
    without: {
      reopen: 'the server keeps nothing on disk; another run has one that does',
      openLimited: 'Redis keeps limits by itself (maxmemory)',
      clock: 'Redis counts lifetimes by its own clock',
    },
    async dispose() {
      await proxy?.stop()
      proxy = undefined
      if (raw === undefined) return
      for (const own of [prefix, `other:${prefix}`]) {
        const keys = await raw.keysBuffer(`${own}*`)
        if (keys.length > 0) await raw.unlink(keys)
      }
      raw.disconnect()
      raw = undefined
    },
  }
}
