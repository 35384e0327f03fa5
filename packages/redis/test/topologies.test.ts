import { cacheErrorCode, type Item } from '@cache/core/backend'
import {
  type RedisCluster,
  startRedis,
  startRedisCluster,
  startRedisSentinel,
  tcpProxy,
  waitUntil,
} from '@cache/testing'
import { Command } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { keySlot } from '../src/cluster/key-slot.ts'
import { type RedisBackend, type RedisBackendOptions, RedisBus, RedisTrackingBus } from '../src/index.ts'
import { RecordingListener } from './bus/recording-listener.ts'
import { closeAfterTest, openBackend, openCluster, openRedis } from './resources.ts'

function item(key: string, value: unknown, version = 'v1'): Item {
  return { key, value, version, createdAt: 1 }
}

async function serves(backend: RedisBackend): Promise<void> {
  await backend.set(item('k', { some: 'value' }))
  expect(await backend.get('k')).toEqual(item('k', { some: 'value' }))
  expect(await backend.increment?.('n', 2)).toBe(2)
  expect(await backend.compareAndSet('k', 'v1', item('k', 'next', 'v2'))).toBe(true)
  const keys: string[] = []
  for await (const key of backend.keys()) keys.push(key)
  expect(keys.sort()).toEqual(['k', 'n'])
  await backend.clear()
  expect(await backend.getMany(['k', 'n'])).toEqual([undefined, undefined])
}

function slotOf(key: string): number {
  return new Command('get', [key]).getSlot()
}

describe('a server with TLS', () => {
  it('serves clients that trust its certificate, and other clients refuse it', async () => {
    const server = closeAfterTest(await startRedis({ tls: true }))
    const ca = server.certificate?.pem ?? ''
    await serves(openBackend({ url: server.url, options: { tls: { ca } } }))
    await serves(openBackend({ options: { host: server.host, port: server.port, tls: { ca } } }))
    const distrustful = openBackend({ url: server.url })
    const error: unknown = await distrustful.get('k').catch((reason: unknown) => reason)
    expect(cacheErrorCode(error)).toBe('UNAVAILABLE')
    expect(String(error)).toMatch(/certificate/)
    const other = closeAfterTest(await startRedis({ tls: true }))
    const wrong = other.certificate?.pem ?? ''
    const mistaken = openBackend({ url: server.url, options: { tls: { ca: wrong } } })
    await expect(mistaken.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

/** The rights that the README lists. */
const rights =
  '~cache:* +@connection +get +mget +set +unlink +evalsha +eval +getrange +pttl +incrby +scan +dbsize +info'

describe('a server with users', () => {
  it('serves a user with only the rights that the README lists, and refuses others', async () => {
    const users = [`cache on >s3cret:/@ ${rights}`, 'reader on >only ~cache:* +@read +@connection +info']
    const server = closeAfterTest(await startRedis({ password: 'default', users }))
    const at = (user: string, password: string): string =>
      `redis://${user}:${encodeURIComponent(password)}@${server.host}:${server.port}`
    await serves(openBackend({ url: at('cache', 's3cret:/@') }))
    await serves(
      openBackend({ options: { host: server.host, port: server.port, username: 'cache', password: 's3cret:/@' } }),
    )
    const wrong = openBackend({ url: at('cache', 'wrong') })
    const refusal: unknown = await wrong.get('k').catch((reason: unknown) => reason)
    expect(cacheErrorCode(refusal)).toBe('UNAVAILABLE')
    expect(String(refusal)).toMatch(/WRONGPASS/)
    const reader = openBackend({ url: at('reader', 'only') })
    expect(await reader.get('k')).toBe(undefined)
    await expect(reader.set(item('k', 1))).rejects.toMatchObject({ code: 'BACKEND_FAILURE', operation: 'set' })
  })
})

describe('a user of a bus', () => {
  it('needs only the rights that the README lists', async () => {
    const users = [
      `publisher on >secret resetchannels &cache:bus +@connection +info +publish +subscribe`,
      `tracker on >secret resetchannels &__redis__:invalidate ~cache:* +@connection +info +subscribe`,
    ]
    const server = closeAfterTest(await startRedis({ users }))
    const at = (user: string): string => `redis://${user}:secret@${server.host}:${server.port}`
    const bus = closeAfterTest(new RedisBus({ url: at('publisher') }))
    const tracking = closeAfterTest(new RedisTrackingBus({ url: at('tracker') }))
    const listener = new RecordingListener()
    await bus.subscribe(listener)
    await tracking.subscribe(listener)
    await bus.publish({ kind: 'clear', source: 's', prefix: '' })
    await waitUntil('the message', () => listener.messages.length === 1)
    await openRedis(server.url).set('cache:k', 1)
    await waitUntil('the announcement', () => listener.messages.length === 2)
  })
})

describe('a Unix socket', () => {
  it('connects to the server, also for an injected client', async () => {
    const server = closeAfterTest(await startRedis({ unixSocket: true }))
    const path = server.unixSocket ?? ''
    await serves(openBackend({ options: { path } }))
    await serves(openBackend({ client: openRedis(path) }))
  })
})

describe('a database number', () => {
  it('selects its own data, by URL and by options', async () => {
    const server = closeAfterTest(await startRedis())
    const first = openBackend({ url: server.url })
    const second = openBackend({ url: `${server.url}/2` })
    const same = openBackend({ url: server.url, options: { db: 2 } })
    await first.set(item('k', 'in 0'))
    await second.set(item('k', 'in 2'))
    expect((await first.get('k'))?.value).toBe('in 0')
    expect((await same.get('k'))?.value).toBe('in 2')
    await second.clear()
    expect((await first.get('k'))?.value).toBe('in 0')
  })
})

/** Writes and reads until it is stopped, and remembers the acknowledged writes. */
class Load {
  readonly written = new Map<string, number>()
  readonly errors = new Map<string, number>()
  longest = 0
  wrong = 0
  #stopped = false
  readonly #workers: Promise<void>[]

  constructor(backend: RedisBackend, workers: number) {
    this.#workers = Array.from({ length: workers }, (_, worker) => this.#work(backend, worker))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#workers)
  }

  async #work(backend: RedisBackend, worker: number): Promise<void> {
    for (let round = 1; !this.#stopped; round++) {
      const key = `load ${worker}:${round % 50}`
      await this.#timed(async () => {
        await backend.set(item(key, { worker, round }, `${worker}-${round}`))
        this.written.set(key, round)
      })
      await this.#timed(async () => {
        const found = await backend.get(key)
        if (found !== undefined && (found.value as { worker: number }).worker !== worker) this.wrong += 1
      })
    }
  }

  async #timed(call: () => Promise<void>): Promise<void> {
    const start = performance.now()
    try {
      await call()
    } catch (error) {
      const code = cacheErrorCode(error) ?? String(error)
      this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
      // A failure may be immediate. The loop must leave time for the rest of this process.
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.longest = Math.max(this.longest, performance.now() - start)
  }
}

describe('Sentinel', () => {
  it('leads to the new master after a failover under load', { timeout: 60_000 }, async () => {
    const sentinel = closeAfterTest(await startRedisSentinel({ replicas: 1 }))
    const sentinels = sentinel.sentinels.map(({ host, port }) => ({ host, port }))
    const backend = openBackend({ options: { sentinels, name: sentinel.name }, timeout: 1000 })
    await serves(backend)
    const load = new Load(backend, 10)
    await waitUntil('load', () => load.written.size > 50)
    const master = await sentinel.failOver()
    const before = load.written.size
    await waitUntil('writes on the new master', async () => {
      await backend.set(item('after', 'failover'))
      return (await openRedis(master.url).exists('cache:after')) === 1 && load.written.size >= before
    })
    await load.stop()
    expect(load.wrong).toBe(0)
    expect([...load.errors.keys()].filter((code) => code !== 'UNAVAILABLE' && code !== 'TIMEOUT')).toEqual([])
    expect(load.longest).toBeLessThan(1500)
    await backend.clear()
    await serves(backend)
  })
})

async function sixNodes(): Promise<{ cluster: RedisCluster; nodes: { host: string; port: number }[] }> {
  const cluster = closeAfterTest(await startRedisCluster({ masters: 3, replicas: 1 }))
  return { cluster, nodes: cluster.nodes.map(({ host, port }) => ({ host, port })) }
}

describe('a Cluster', () => {
  it('serves a user with only the rights that the README lists', { timeout: 60_000 }, async () => {
    const user = `cache on >secret resetchannels &cache:bus ${rights} +cluster +spublish +ssubscribe`
    const cluster = closeAfterTest(await startRedisCluster({ config: { user } }))
    const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }))
    const options = { username: 'cache', password: 'secret' }
    await serves(openBackend({ cluster: { nodes }, options }))
    // The first command, which makes the client connect, needs no further rights either.
    await openBackend({ cluster: { nodes }, options }).clear()
    const bus = closeAfterTest(new RedisBus({ cluster: { nodes }, options }))
    const listener = new RecordingListener()
    await bus.subscribe(listener)
    await bus.publish({ kind: 'clear', source: 's', prefix: '' })
    await waitUntil('the message', () => listener.messages.length === 1)
  })

  it('without access or without a server makes calls reject with UNAVAILABLE at once, with the reason', async () => {
    const cluster = closeAfterTest(await startRedisCluster({ config: { user: 'cache on >secret ~* &* +@all' } }))
    const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }))
    const refused: Readonly<Record<string, { readonly options: RedisBackendOptions; readonly reason: RegExp }>> = {
      'a wrong password': {
        options: { cluster: { nodes }, options: { username: 'cache', password: 'wrong' } },
        reason: /WRONGPASS/,
      },
      'no server': { options: { cluster: { nodes: [{ host: '127.0.0.1', port: 1 }] } }, reason: /no connection/ },
    }
    for (const [name, { options, reason }] of Object.entries(refused)) {
      const backend = openBackend({ ...options, timeout: 20_000 })
      for (const call of [() => backend.get('k'), () => backend.set(item('k', 1)), () => backend.clear()]) {
        const start = performance.now()
        const error: unknown = await call().catch((thrown: unknown) => thrown)
        expect([name, cacheErrorCode(error)]).toEqual([name, 'UNAVAILABLE'])
        expect(String(error)).toMatch(reason)
        expect(performance.now() - start).toBeLessThan(5000)
      }
    }
  })

  it('returns no wrong value while a slot moves and a master dies under load', { timeout: 90_000 }, async () => {
    const { cluster, nodes } = await sixNodes()
    const backend = openBackend({ cluster: { nodes }, timeout: 1000 })
    await serves(backend)
    const load = new Load(backend, 10)
    await waitUntil('load', () => load.written.size > 100)

    const slot = slotOf('cache:load 0:1')
    const from = await cluster.masterOf(slot)
    const to = cluster.nodes.slice(0, 3).find((node) => node !== from)
    if (to === undefined) throw new Error('the cluster has one master')
    await cluster.moveSlot(slot, to)
    await waitUntil('writes in the slot that moved', () => (load.written.get('load 0:1') ?? 0) > 0)
    // A move causes redirections and no failures.
    expect([...load.errors]).toEqual([])

    await cluster.failOver(slot)
    await waitUntil('writes on the replica that took over', async () => {
      await backend.set(item('load 0:1', { worker: 0 }))
      return true
    })
    await load.stop()
    expect(load.wrong).toBe(0)
    expect([...load.errors.keys()].filter((code) => code !== 'UNAVAILABLE' && code !== 'TIMEOUT')).toEqual([])
    expect(load.longest).toBeLessThan(1500)
    await backend.clear()
    await serves(backend)
  })

  it('is listed and cleared completely while a slot moves', { timeout: 60_000 }, async () => {
    const { cluster, nodes } = await sixNodes()
    const backend = openBackend({ cluster: { nodes } })
    const names = Array.from({ length: 300 }, (_, index) => `k${index}`)
    await backend.setMany(names.map((name) => item(name, name)))
    const slot = slotOf('cache:k0')
    const from = await cluster.masterOf(slot)
    const to = cluster.nodes.slice(0, 3).find((node) => node !== from)
    if (to === undefined) throw new Error('the cluster has one master')
    // Half of a move: both nodes hold keys of the slot, until the end of the test.
    const [source, target] = [openRedis(from.url), openRedis(to.url)]
    await target.cluster('SETSLOT', slot, 'IMPORTING', from.id)
    await source.cluster('SETSLOT', slot, 'MIGRATING', to.id)
    await source.migrate(to.host, to.port, 'cache:k0', 0, 5000)
    const found: string[] = []
    for await (const key of backend.keys()) found.push(key)
    expect([...new Set(found)].sort()).toEqual([...names].sort())
    expect((await backend.get('k0'))?.value).toBe('k0')
    expect(await backend.getMany(['k0', 'k1'])).toEqual([item('k0', 'k0'), item('k1', 'k1')])
    await backend.clear()
    expect((await backend.getMany(names)).filter((one) => one !== undefined)).toEqual([])
  })

  it('computes the same slot as `keySlot`, with hash tags, without, and with braces that are no tag', async () => {
    const { cluster } = await sixNodes()
    const [first] = cluster.nodes
    const server = openRedis(first?.url ?? '')
    const keys = ['', 'a', 'foo', '123456789', 'ключ', '😀', 'x'.repeat(1000)]
    const tagged = [
      '{a}',
      '{a}b',
      'b{a}',
      '{a}{b}',
      '{}',
      '{}a',
      '{',
      '}',
      '}{',
      '{a',
      'a}',
      '{{a}}',
      'a{b}c}d',
      'a{}{b}',
    ]
    for (const key of [...keys, ...tagged, '{ключ}1']) {
      expect([key, keySlot(key)]).toEqual([key, await server.cluster('KEYSLOT', key)])
      expect(keySlot(Buffer.from(key))).toBe(keySlot(key))
    }
  })

  it('keeps the order of writes for keys with braces that are no tag', { timeout: 60_000 }, async () => {
    const { nodes } = await sixNodes()
    const backend = openBackend({ cluster: { nodes } })
    // The client takes a later brace for the end of a tag, and would send to a wrong node first.
    const keys = Array.from({ length: 20 }, (_, index) => `{}${index}}`)
    await Promise.all(keys.map((key) => backend.get(key)))
    const over = keys.map((key) => backend.set({ ...item(key, 'over'), expiresAt: Date.now() - 1 }))
    await Promise.all([...over, ...keys.map((key) => backend.set(item(key, 'new')))])
    expect((await backend.getMany(keys)).map((one) => one?.value)).toEqual(keys.map(() => 'new'))
  })

  it('receives one command for the keys of one slot, in a tick and in batches', { timeout: 60_000 }, async () => {
    const { cluster, nodes } = await sixNodes()
    const backend = openBackend({ cluster: { nodes } })
    const masters = cluster.nodes.slice(0, 3).map(({ url }) => openRedis(url))
    /** How many commands of this name the masters carried out since the last call. */
    const calls = async (name: string): Promise<number> => {
      const stats = await Promise.all(masters.map((master) => master.info('commandstats')))
      await Promise.all(masters.map((master) => master.config('RESETSTAT')))
      return stats.reduce(
        (sum, text) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(text)?.[1] ?? 0),
        0,
      )
    }
    const tagged = Array.from({ length: 50 }, (_, index) => `{user 1}:${index}`)
    const spread = Array.from({ length: 50 }, (_, index) => `k${index}`)
    const all = [...tagged, ...spread]
    // The first call of each script sends its text.
    await Promise.all(all.map((key) => backend.set(item(key, 'old'))))
    await backend.setMany(tagged.map((key) => item(key, 'old')))
    await backend.deleteMany(tagged)
    await calls('')

    await backend.setMany(tagged.map((key) => item(key, key)))
    expect(await calls('evalsha')).toBe(1)
    expect((await backend.getMany(tagged)).map((one) => one?.value)).toEqual(tagged)
    expect(await calls('mget')).toBe(1)
    await backend.setMany(spread.map((key) => item(key, key)))
    const found = await Promise.all(all.map((key) => backend.get(key)))
    expect(found.map((one) => one?.value)).toEqual(all)
    expect(await calls('mget')).toBe(1)
    expect((await backend.getMany(all)).map((one) => one?.value)).toEqual(all)
    expect(await backend.deleteMany(tagged)).toBe(50)
    expect(await calls('evalsha')).toBe(1)
    expect(await backend.deleteMany(all)).toBe(50)
  })

  it('carries out batches key by key while the keys of a slot lie on two nodes', { timeout: 60_000 }, async () => {
    const { cluster, nodes } = await sixNodes()
    const backend = openBackend({ cluster: { nodes } })
    const names = Array.from({ length: 20 }, (_, index) => `{t}${index}`)
    await backend.setMany(names.map((name) => item(name, 'old')))
    const slot = slotOf('cache:{t}0')
    const from = await cluster.masterOf(slot)
    const to = cluster.nodes.slice(0, 3).find((node) => node !== from)
    if (to === undefined) throw new Error('the cluster has one master')
    const [source, target] = [openRedis(from.url), openRedis(to.url)]
    await target.cluster('SETSLOT', slot, 'IMPORTING', from.id)
    await source.cluster('SETSLOT', slot, 'MIGRATING', to.id)
    for (const name of names.slice(0, 10)) await source.migrate(to.host, to.port, `cache:${name}`, 0, 5000)

    expect((await backend.getMany(names)).map((one) => one?.value)).toEqual(names.map(() => 'old'))
    const gets = await Promise.all(names.map((name) => backend.get(name)))
    expect(gets.map((one) => one?.value)).toEqual(names.map(() => 'old'))
    await backend.setMany(names.map((name) => item(name, 'new')))
    expect((await backend.getMany(names)).map((one) => one?.value)).toEqual(names.map(() => 'new'))
    const found: string[] = []
    for await (const key of backend.keys()) found.push(key)
    expect([...new Set(found)].sort()).toEqual([...names].sort())
    expect(await backend.deleteMany(names)).toBe(20)
    expect((await backend.getMany(names)).filter((one) => one !== undefined)).toEqual([])
  })

  it('never counts twice on an injected client when a reply is lost', {
    timeout: 60_000,
  }, async () => {
    const { nodes } = await sixNodes()
    const proxies = await Promise.all(nodes.map(({ host, port }) => tcpProxy(`redis://${host}:${port}`)))
    for (const proxy of proxies) closeAfterTest(proxy)
    const natMap = Object.fromEntries(
      nodes.map(({ host, port }, index) => [`${host}:${port}`, { host, port: proxies[index]?.port ?? 0 }]),
    )
    // ioredis would send a command again after its node disconnects.
    const client = closeAfterTest(openCluster(nodes).duplicate([], { natMap }))
    client.on('error', () => {})
    const backend = openBackend({ client, timeout: 1000 })
    await serves(backend)
    const behind = openCluster(nodes)
    for (let round = 1; round <= 3; round++) {
      for (const proxy of proxies) proxy.swallowReplies()
      const lost = proxies.reduce((sum, proxy) => sum + proxy.swallowed, 0)
      const counting = backend.increment?.('n', 1).catch((error: unknown) => cacheErrorCode(error))
      await waitUntil('the reply to be lost', () => proxies.reduce((sum, proxy) => sum + proxy.swallowed, 0) > lost)
      for (const proxy of proxies) proxy.heal()
      expect(await counting).toBe('UNAVAILABLE')
      const found = await waitUntil('the client to be back', () => backend.get('n'), { timeout: 30_000 })
      expect(found.value).toBe(round)
      expect(await behind.get('cache:n')).toBe(String(round))
    }
    await backend.close()
    expect(await client.get('cache:n')).toBe('3')
  })
})
