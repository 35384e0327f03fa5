import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireBinary } from '@cache/workspace'
import type { Candidate, CandidateContext, Measurement } from '../harness/suite.ts'
import { rowName } from '../server/workload.ts'
import { empty } from './contender.ts'
import { scenarios } from './scenarios.ts'

const run = promisify(execFile)
const keyCount = 1000
const limits = scenarios.all.filter(
  ({ operation, value, concurrency }) =>
    (operation === 'get' || operation === 'set') && value === '200 B' && concurrency <= 100,
)

const scripts: Readonly<Record<string, string>> = {
  get: `\\set n random(0, ${keyCount - 1})\nselect value from plain where key = 'key:' || :n;\n`,
  set: `\\set n random(0, ${keyCount - 1})\ninsert into plain values ('key:' || :n, repeat('x', 200), now()) on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at;\n`,
}

/**
 * The limit: PostgreSQL's own benchmark, in C, one prepared statement for each key and one connection for each caller.
 */
export const pgbench: Candidate = {
  name: 'pgbench',
  rows: limits.map(rowName),
  async measure(row, context): Promise<Measurement> {
    const { url } = context.shared as { url: string }
    await empty(url)
    const folder = await mkdtemp(join(tmpdir(), 'cache-bench-'))
    try {
      return await measureIn(folder, row, url, context)
    } finally {
      await rm(folder, { recursive: true })
    }
  },
}

async function measureIn(folder: string, row: string, url: string, context: CandidateContext): Promise<Measurement> {
  const { operation, concurrency } = scenarios.of(row)
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('create table plain (key text primary key, value text not null, expires_at timestamptz)')
  await client.query(
    `insert into plain select 'key:' || n, repeat('x', 200) from generate_series(0, ${keyCount - 1}) as n`,
  )
  await client.query('vacuum analyze plain')
  await client.end()
  const script = join(folder, 'script.sql')
  await writeFile(script, scripts[operation] as string)
  const file = await requireBinary('pgbench')
  const seconds = context.quick ? '1' : '2'
  const threads = String(Math.min(2, concurrency))
  const args = ['-n', '-M', 'prepared', '-f', script, '-c', String(concurrency), '-j', threads, '-T', seconds, url]
  const { stdout } = await run(file, args)
  const rate = Number(/tps = ([\d.]+)/.exec(stdout)?.[1])
  const failed = /number of failed transactions: (\d+)/.exec(stdout)?.[1] ?? '0'
  return { value: rate, work: rate > 0 && failed === '0' ? 1 : 0 }
}
