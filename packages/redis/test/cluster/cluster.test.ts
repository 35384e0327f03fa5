import { cacheErrorCode } from '@cache/core/backend'
import { type RedisCluster, startRedisCluster, tcpProxy, waitUntil } from '@cache/workspace'
import { Command } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { keySlot } from '../../src/cluster/key-slot.ts'
import { type RedisBackendOptions, RedisBus } from '../../src/index.ts'
import { RecordingListener } from '../bus/recording-listener.ts'
import { expectToServe, item } from '../expect-to-serve.ts'
import { Load } from '../load.ts'
import { closeAfterTest, openBackend, openCluster, openRedis } from '../resources.ts'
import { rights } from '../rights.ts'

function slotOf(key: string): number {
  return new Command('get', [key]).getSlot()
}

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
    await expectToServe(openBackend({ cluster: { nodes }, options }))
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
    await expectToServe(backend)
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
    await expectToServe(backend)
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
    await expectToServe(backend)
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
