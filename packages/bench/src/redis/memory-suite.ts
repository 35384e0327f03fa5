import { startRedis } from '@cache/workspace'
import type { Candidate, CandidateContext, Measurement, ResultRow, Suite } from '../harness/suite.ts'
import { type Contestant, values } from '../server/workload.ts'
import { openCache } from './ours.ts'
import { openBento, openIoredis, openKeyv } from './peers.ts'

const kinds = ['integer', 'small object', '200 B']
const items = 500

/** `bytes in Redis`: of the entry with its key, as the server allocates. `bytes stored`: of the value alone. */
const rows = kinds.flatMap((kind) => [`bytes in Redis, ${kind}`, `bytes stored, ${kind}`])

function candidate(name: string, packages: readonly string[], open: (url: string) => Promise<Contestant>): Candidate {
  return {
    name,
    packages,
    measure: (row, context) => measure(row, open, context),
  }
}

async function measure(
  row: string,
  open: (url: string) => Promise<Contestant>,
  context: CandidateContext,
): Promise<Measurement> {
  const { url } = context.shared as { url: string }
  const { Redis } = await import('ioredis')
  const redis = new Redis(url)
  await redis.flushall()
  const [figure, kind] = row.split(', ') as [string, string]
  const contestant = await open(url)
  for (let index = 0; index < items; index += 1) await contestant.set?.(`user:${1000 + index}`, values[kind])
  await contestant.close()
  let bytes = 0
  let keys = 0
  // Additional records of a cache count as well.
  for (const key of await redis.keys('*')) {
    bytes += figure === 'bytes stored' ? await redis.strlen(key) : Number(await redis.memory('USAGE', key))
    keys += 1
  }
  redis.disconnect()
  return { value: bytes / items, work: Math.min(keys, items) }
}

function conclude(results: readonly ResultRow[]): string[] {
  return rows.map((row) => {
    const caches = results.filter((result) => result.row === row && result.candidate !== 'payload alone')
    const [least] = [...caches].sort((a, b) => a.value - b.value)
    return `${row}: the least of the caches is ${least?.candidate}`
  })
}

export const suite: Suite = {
  name: 'redis-memory',
  says: `Bytes of an item in Redis, with a lifetime: the mean of ${items} items, by MEMORY USAGE and STRLEN.`,
  baseline: 'payload alone',
  rows: rows.map((name) => ({ name, unit: 'bytes', better: 'lower', work: items })),
  candidates: [
    candidate('payload alone', ['ioredis'], (url) => openIoredis(url, false)),
    candidate('Cache on @cache/redis', [], openCache),
    candidate('bentocache', ['bentocache'], openBento),
    candidate('keyv', ['@keyv/redis'], openKeyv),
  ],
  repetitions: 1,
  async open() {
    const server = await startRedis()
    return { shared: { url: server.url }, close: () => server.stop() }
  },
  conclude,
}
