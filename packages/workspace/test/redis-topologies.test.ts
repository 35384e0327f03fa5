import { Cluster, Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import { startRedisCluster, startRedisSentinel } from '../src/index.ts'

// The slot of the key `foo`, as the Redis Cluster specification gives it.
const slotOfFoo = 12_182

it('a cluster serves all slots, moves one with its keys, and survives the loss of a master', async () => {
  const cluster = await startRedisCluster({ masters: 3, replicas: 1 })
  onTestFinished(() => cluster.stop())
  expect(cluster.nodes.length).toBe(6)
  const client = new Cluster(
    cluster.nodes.map(({ host, port }) => ({ host, port })),
    { clusterRetryStrategy: () => 50, redisOptions: { maxRetriesPerRequest: null } },
  )
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  await client.set('foo', 'bar')

  const from = await cluster.masterOf(slotOfFoo)
  const to = await cluster.masterOf(0)
  expect(from).not.toBe(to)
  await cluster.moveSlot(slotOfFoo, to)
  expect(await cluster.masterOf(slotOfFoo)).toBe(to)
  expect(await client.get('foo')).toBe('bar')

  const replica = await cluster.failOver(slotOfFoo)
  expect(replica).not.toBe(to)
  expect(cluster.nodes.indexOf(replica)).toBeGreaterThanOrEqual(3)
  const direct = new Redis(replica.url)
  onTestFinished(() => direct.disconnect())
  expect(await direct.get('foo')).toBe('bar')
})

it('sentinels name another master when theirs is killed', async () => {
  const sentinel = await startRedisSentinel({ replicas: 1, sentinels: 3 })
  onTestFinished(() => sentinel.stop())
  const client = new Redis({
    name: sentinel.name,
    sentinels: sentinel.sentinels.map(({ host, port }) => ({ host, port })),
    sentinelRetryStrategy: () => 50,
    maxRetriesPerRequest: null,
  })
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  await client.set('key', 'before')
  expect(await client.wait(1, 5_000)).toBe(1)
  const old = await sentinel.master()
  expect(old).toBe(sentinel.nodes[0])
  expect(await sentinel.failOver()).toBe(sentinel.nodes[1])
  expect(await client.get('key')).toBe('before')
})
