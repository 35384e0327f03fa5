import { startRedisCluster } from '@cache/workspace'
import type { Candidate, Row, Suite, SuiteContext } from '../harness/suite.ts'
import { rowOf } from '../server/scenarios.ts'
import { batchSize, type Contestant, measureScenario, rowName, type Scenario } from '../server/workload.ts'

type Nodes = { host: string; port: number }[]

const ttl = 600_000
const timeout = '30s'

function scenarios({ quick }: SuiteContext): Scenario[] {
  const concurrencies = quick ? [100] : [1, 100]
  const single = (['get', 'set'] as const).flatMap((operation) =>
    concurrencies.map((concurrency) => ({ operation, value: 'integer', concurrency })),
  )
  const batches = (['getMany', 'setMany'] as const).map((operation) => ({ operation, value: '200 B', concurrency: 1 }))
  return [...single, ...batches]
}

function rows(context: SuiteContext): Row[] {
  return scenarios(context).map(rowOf)
}

function contender(name: string, packages: readonly string[], open: (nodes: Nodes) => Promise<Contestant>): Candidate {
  return {
    name,
    packages,
    async measure(row, context) {
      const { nodes } = context.shared as { nodes: Nodes }
      const scenario = scenarios({ ...context, quick: false }).find((one) => rowName(one) === row)
      if (scenario === undefined) throw new Error(`no row '${row}'`)
      const contestant = await open(nodes)
      const measurement = await measureScenario(scenario, contestant, context)
      await contestant.close()
      return measurement
    },
  }
}

/** Texts as they are. A batch is as many commands at once, because keys of different slots share none. */
async function openIoredis(nodes: Nodes, enableAutoPipelining: boolean): Promise<Contestant> {
  const { Cluster } = await import('ioredis')
  const cluster = new Cluster(nodes, { enableAutoPipelining })
  await cluster.set('warm', '1')
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
  return {
    stored: text,
    get: (key) => cluster.get(key),
    set: (key, value) => cluster.set(key, text(value), 'PX', ttl),
    getMany: (keys) => Promise.all(keys.map((key) => cluster.get(key))),
    setMany: (entries) => Promise.all(entries.map(([key, value]) => cluster.set(key, text(value), 'PX', ttl))),
    close: () => cluster.disconnect(),
  }
}

async function openCache(nodes: Nodes): Promise<Contestant> {
  const [{ Cache }, { RedisBackend }] = await Promise.all([import('@cache/core'), import('@cache/redis')])
  const cache = new Cache({ backend: new RedisBackend({ cluster: { nodes }, timeout }), ttl })
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    getMany: (keys) => cache.getMany(keys),
    setMany: (entries) => cache.setMany(entries),
    close: () => cache.close(),
  }
}

export const suite: Suite = {
  name: 'redis-cluster',
  says: `Calls per second by the wall clock against a real Redis Cluster of three masters on the loopback; batches of ${batchSize} keys, spread over the slots, count keys.`,
  baseline: 'ioredis Cluster',
  rows,
  candidates: [
    contender('ioredis Cluster', ['ioredis'], (nodes) => openIoredis(nodes, false)),
    contender('ioredis Cluster, auto-pipelining', ['ioredis'], (nodes) => openIoredis(nodes, true)),
    contender('Cache on @cache/redis', [], openCache),
  ],
  repetitions: 3,
  async open() {
    const cluster = await startRedisCluster()
    const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }))
    return { shared: { nodes }, close: () => cluster.stop() }
  },
}
