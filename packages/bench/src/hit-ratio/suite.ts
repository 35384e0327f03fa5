import { type SimulatedPolicy, simulatePolicies } from '@cache/memory/simulate'
import type { Candidate, ResultRow, Row, Suite, SuiteContext } from '../harness/suite.ts'
import { sizesOf, type Trace, traces } from '../memory/traces.ts'
import { type KeyLog, readKeyLog } from './key-log.ts'
import { madeTraffic } from './made-traffic.ts'

const policies: readonly SimulatedPolicy[] = [
  'optimal',
  'adaptive',
  'w-tinylfu',
  's3-fifo',
  'sieve',
  'lru',
  'lfu',
  'fifo',
  'random',
]
const SHARES = [0.01, 0.05, 0.2]
/** A log of more requests than this tells how far its replay is. */
const LONG = 2_000_000

interface Replay {
  readonly row: string
  readonly size: number
  readonly requests: number
  readonly log: Pick<KeyLog, 'weights'> & { readonly keys: Iterable<number> }
}

/** The traffic to replay: the named log, else the traces of the suite `memory` or made traffic. */
async function* replays({ args }: SuiteContext): AsyncGenerator<Replay> {
  const [file, ...rest] = args
  if (rest.length > 0) throw new Error(`hit-ratio takes one file, but got ${rest.length + 1}`)
  if (file === undefined) {
    for (const trace of allTraffic()) {
      for (const size of sizesOf(trace)) {
        yield { row: `${trace.name}, ${size} entries`, size, requests: trace.keys.length, log: trace }
      }
    }
    return
  }
  const log = await readKeyLog(file)
  if (log.keys.length === 0) throw new Error(`${file} holds no keys`)
  const unit = log.weights === undefined ? 'entries' : 'bytes'
  for (const share of SHARES) {
    const size = Math.max(1, Math.round(log.total * share))
    yield { row: `${size} ${unit}, ${share * 100} % of all`, size, requests: log.keys.length, log }
  }
}

/** Without a folder of traces, the made traffic of both suites. */
function* allTraffic(): Generator<Trace> {
  yield* traces()
  if (process.env.CACHE_TRACES === undefined) yield* madeTraffic()
}

async function rows(context: SuiteContext): Promise<Row[]> {
  const found: Row[] = []
  for await (const { row, requests } of replays(context))
    found.push({ name: row, unit: '%', better: 'higher', work: requests })
  return found
}

function candidate(policy: SimulatedPolicy): Candidate {
  /** The replayed traffic of this process: the log is read once for all rows. */
  let done: Promise<Map<string, Replay>> | undefined
  return {
    name: policy,
    async measure(row, context) {
      done ??= collect(context)
      const replay = (await done).get(row)
      if (replay === undefined) throw new Error(`nothing to replay for '${row}'`)
      const { keys, weights } = replay.log
      const [result] = simulatePolicies(keys, {
        policies: [policy],
        sizes: [replay.size],
        ...(weights === undefined ? {} : { weights }),
        ...(replay.requests > LONG ? { onProgress: teller(row) } : {}),
      })
      if (result === undefined) throw new Error('the simulation gave no row')
      return { value: 100 * result.hitRatio, work: result.requests }
    },
  }
}

async function collect(context: SuiteContext): Promise<Map<string, Replay>> {
  const found = new Map<string, Replay>()
  for await (const replay of replays(context)) found.set(replay.row, replay)
  return found
}

/** Tells each quarter of a long replay. */
function teller(row: string): (progress: { policy: string; done: number; total: number }) => void {
  let reported = 0
  return ({ policy, done, total }) => {
    const quarter = Math.floor((4 * done) / total)
    if (quarter === reported) return
    reported = quarter
    process.stderr.write(`  ${policy}, ${row}: ${quarter * 25} %\n`)
  }
}

/** For each policy the loss to the best other policy in each row: the mean and the worst, in percentage points. */
export function losses(results: readonly ResultRow[]): string[] {
  const online = results.filter(({ candidate }) => candidate !== 'optimal')
  return [...new Set(online.map(({ candidate }) => candidate))].flatMap((policy) => {
    const lost = online
      .filter(({ candidate }) => candidate === policy)
      .map(({ row, value }) => {
        const others = online.filter((other) => other.row === row && other.candidate !== policy)
        return Math.max(0, ...others.map((other) => other.value - value))
      })
    const mean = lost.reduce((sum, points) => sum + points, 0) / lost.length
    return [
      `${policy} loses ${mean.toFixed(2)} points to the best of the others in the mean, ${Math.max(...lost).toFixed(1)} at worst`,
    ]
  })
}

export const suite: Suite = {
  name: 'hit-ratio',
  says: "hit ratio of each policy beside Belady's optimum, for a log of your own (one key a line, or key, tab, bytes) or for traffic made here.",
  baseline: 'optimal',
  rows,
  candidates: policies.map(candidate),
  arguments: '[file of keys]',
  processPer: 'candidate',
  repetitions: 1,
  conclude: losses,
}
