import type { Candidate, ResultRow, Row, Suite } from '../harness/suite.ts'
import type { Maker } from './bounded.ts'
import { goals } from './goals.ts'
import { measureHitRatio } from './hits.ts'
import { makers } from './makers.ts'
import { measureBytes, measurePause } from './space.ts'
import { timeRows, workOfTimes } from './times.ts'

interface MemoryRow extends Row {
  readonly needs: { readonly ttl?: true; readonly evicts?: true; readonly numbers?: true }
  measure(maker: Maker): ReturnType<Candidate['measure']>
}

const evicts = { evicts: true } as const

const rows: readonly MemoryRow[] = [
  ...timeRows.map(
    ({ name, needs, measure }): MemoryRow => ({
      name,
      unit: 'ns/op',
      better: 'lower',
      work: workOfTimes,
      needs,
      measure,
    }),
  ),
  {
    name: 'bytes, filled',
    unit: 'bytes',
    better: 'lower',
    work: 1,
    needs: {},
    measure: (maker) => measureBytes(maker, false, 0),
  },
  {
    name: 'bytes, after churn',
    unit: 'bytes',
    better: 'lower',
    work: 1,
    needs: evicts,
    measure: (maker) => measureBytes(maker, false, 3),
  },
  {
    name: 'bytes with ttl, filled',
    unit: 'bytes',
    better: 'lower',
    work: 1,
    needs: { ttl: true },
    measure: (maker) => measureBytes(maker, true, 0),
  },
  {
    name: 'bytes with ttl, after churn',
    unit: 'bytes',
    better: 'lower',
    work: 1,
    needs: { ...evicts, ttl: true },
    measure: (maker) => measureBytes(maker, true, 3),
  },
  {
    name: 'longest pause, capacity 4 million',
    unit: 'ms',
    better: 'lower',
    work: 1,
    needs: {},
    measure: (maker) => measurePause(maker, 4_000_000),
  },
  {
    name: 'longest pause, capacity 1 million',
    unit: 'ms',
    better: 'lower',
    work: 1,
    needs: evicts,
    measure: (maker) => measurePause(maker, 1_000_000),
  },
  {
    name: 'hit ratio',
    unit: '%',
    better: 'higher',
    work: (requests) => (requests > 0 ? undefined : 'it replayed nothing'),
    needs: evicts,
    measure: measureHitRatio,
  },
]

function takesPart(maker: Maker, { needs }: MemoryRow): boolean {
  return (!needs.ttl || maker.ttl) && (!needs.evicts || maker.evicts) && (!needs.numbers || maker.numbers)
}

function candidate(maker: Maker): Candidate {
  const own = rows.filter((row) => takesPart(maker, row))
  return {
    name: maker.name,
    packages: maker.packages,
    rows: own.map(({ name }) => name),
    measure(name) {
      const row = own.find((one) => one.name === name)
      if (row === undefined) throw new Error(`no row '${name}'`)
      return row.measure(maker)
    },
  }
}

export const suite: Suite = {
  name: 'memory',
  says: 'bounded maps in the process: processor time per call, bytes per entry of a million, longest pause, hit ratio (of the traces in CACHE_TRACES, else of traffic made here).',
  baseline: 'lru-cache',
  rows,
  candidates: makers.map(candidate),
  repetitions: 3,
  // A package that takes longer than this for one row has failed it.
  timeLimit: 120_000,
  execArgv: ['--expose-gc', '--max-old-space-size=8192'],
  conclude: (results: readonly ResultRow[]) => goals(results),
}
