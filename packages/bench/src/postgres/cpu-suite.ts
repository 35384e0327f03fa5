import { readFile } from 'node:fs/promises'
import { startPostgres } from '@cache/workspace'
import type { Candidate, CandidateContext, Measurement, ResultRow, Row, Suite } from '../harness/suite.ts'
import { type Contestant, values } from '../server/workload.ts'
import { empty } from './contender.ts'
import { openCache } from './ours.ts'
import { openPlain } from './peers.ts'

const operations = ['get', 'set'] as const
const concurrencies = [1, 100]
const keys = Array.from({ length: 1000 }, (_, index) => `key:${index}`)
/** Of a clock tick, in which Linux counts the time of processes. */
const tickMs = 10

const rows: readonly Row[] = operations.flatMap((operation) =>
  concurrencies.map((callers) => ({
    name: `${operation}, small object, ${callers} at once`,
    unit: 'µs/op',
    better: 'lower' as const,
    work: 1,
  })),
)

/** Milliseconds of processor time of the server's sessions, ended ones included, and of its background processes. */
async function serverTime(url: string): Promise<number> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows: found } = await client.query(
    "select pid from pg_stat_activity where pid <> pg_backend_pid() union select substring(pg_read_file('postmaster.pid') from '^[0-9]+')::int",
  )
  await client.end()
  const times = await Promise.all(found.map(({ pid }) => processTime(pid)))
  return times.reduce((sum, ms) => sum + ms, 0)
}

/** Of a process and of those of its children that have ended: fields 14 to 17 of its `stat`. */
async function processTime(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field] ?? 0), 0) * tickMs
}

async function spend(contestant: Contestant, row: string, ms: number): Promise<{ calls: number; wrong: number }> {
  const callers = row.includes(' 100 ') ? 100 : 1
  const isGet = row.startsWith('get')
  const value = values['small object']
  const end = performance.now() + ms
  let calls = 0
  let wrong = 0
  const one = async (caller: number): Promise<void> => {
    for (let index = caller * 7; performance.now() < end; index += 1) {
      const key = keys[index % keys.length] as string
      if (!isGet) await contestant.set?.(key, value)
      else if ((await contestant.get?.(key)) === undefined) wrong += 1
      calls += 1
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => one(caller)))
  return { calls, wrong }
}

async function measure(
  row: string,
  open: (url: string) => Promise<Contestant>,
  context: CandidateContext,
): Promise<Measurement> {
  const { url } = context.shared as { url: string }
  await empty(url)
  const contestant = await open(url)
  await Promise.all(keys.map((key) => contestant.set?.(key, values['small object'])))
  await spend(contestant, row, 1000)
  const [server, own] = [await serverTime(url), process.cpuUsage()]
  const { calls, wrong } = await spend(contestant, row, context.quick ? 1500 : 4000)
  const { user, system } = process.cpuUsage(own)
  const spent = (user + system) / 1000 + (await serverTime(url)) - server
  await contestant.close()
  return { value: (spent * 1000) / calls, work: wrong === 0 && calls > 0 ? 1 : 0 }
}

const candidates: readonly Candidate[] = [
  {
    name: 'plain pg',
    packages: ['pg'],
    measure: (row, context) => measure(row, openPlain, context),
  },
  {
    name: 'Cache on @cache/postgres',
    measure: (row, context) => measure(row, (url) => openCache(url, false), context),
  },
]

function conclude(results: readonly ResultRow[]): string[] {
  return results
    .filter(({ candidate }) => candidate !== 'plain pg')
    .map(({ row, ratio }) => `${row}: ${(1 / ratio).toFixed(2)} times as much for the same processor time`)
}

export const suite: Suite = {
  name: 'postgres-cpu',
  says: 'Processor time of client and server together for each call (Linux), which other load on the machine hardly changes. Each commit reaches the disk.',
  baseline: 'plain pg',
  rows,
  candidates,
  repetitions: 5,
  async open() {
    const server = await startPostgres({ durable: true, config: { max_connections: 200, shared_buffers: '256MB' } })
    return { shared: { url: server.url }, close: () => server.stop() }
  },
  conclude,
}
