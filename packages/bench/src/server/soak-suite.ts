import type { Candidate, Measurement, Suite } from '../harness/suite.ts'
import type { Soaked, SoakReport } from './soak.ts'

const rows: readonly { readonly name: string; readonly unit: string; readonly better: 'lower' | 'higher' }[] = [
  { name: 'operations', unit: 'op', better: 'higher' },
  { name: 'faults', unit: 'faults', better: 'higher' },
  { name: 'longest call', unit: 'ms', better: 'lower' },
  { name: 'failed: UNAVAILABLE', unit: 'op', better: 'lower' },
  { name: 'failed: TIMEOUT', unit: 'op', better: 'lower' },
  { name: 'failed: anything else', unit: 'op', better: 'lower' },
  { name: 'wrong answers', unit: 'op', better: 'lower' },
]

function figure(report: SoakReport, row: string): number {
  const { UNAVAILABLE = 0, TIMEOUT = 0, ...others } = report.errors
  switch (row) {
    case 'operations':
      return report.operations
    case 'faults':
      return report.faults
    case 'longest call':
      return report.longest
    case 'wrong answers':
      return report.wrong.length
    case 'failed: UNAVAILABLE':
      return UNAVAILABLE
    case 'failed: TIMEOUT':
      return TIMEOUT
    default:
      return Object.values(others).reduce((sum, count) => sum + count, 0)
  }
}

function candidate(name: string, soaked: Soaked): Candidate {
  /** One soak gives all the rows. */
  let soaking: Promise<SoakReport> | undefined
  return {
    name,
    async measure(row, { args, quick }): Promise<Measurement> {
      const { soak } = await import('./soak.ts')
      const [seconds = quick ? '15' : '120', seed = String(Date.now() % 1_000_000)] = args
      soaking ??= soak(soaked, Number(seconds), Number(seed), (line) => console.error(line))
      const report = await soaking
      if (report.wrong.length > 0) {
        throw new Error(`${report.wrong.length} wrong answers, seed ${seed}:\n${report.wrong.slice(0, 10).join('\n')}`)
      }
      if (report.operations < 1000) throw new Error(`only ${report.operations} operations, seed ${seed}`)
      // A call may take its timeout, and the grace for a busy process; the load itself keeps this one busy.
      if (report.longest > report.bound) throw new Error(`a call took ${report.longest} ms, seed ${seed}`)
      return { value: figure(report, row), work: 0 }
    },
  }
}

/** Backends under load and faults; the first is the baseline. */
export function soakSuite(name: string, soaked: Readonly<Record<string, Soaked>>): Suite {
  const candidates = Object.entries(soaked).map(([candidateName, one]) => candidate(candidateName, one))
  return {
    name,
    says: 'Sets, gets, counts, compares and sets, and deletes while faults come at random: cut, slow and swallowed replies, a frozen, killed and restarted server. Wrong answers fail it.',
    baseline: candidates[0]?.name ?? '',
    rows: rows.map((row) => ({ ...row, work: 0 })),
    candidates,
    repetitions: 1,
    processPer: 'candidate',
    timeLimit: 3_600_000,
    arguments: '[seconds] [seed]',
  }
}
