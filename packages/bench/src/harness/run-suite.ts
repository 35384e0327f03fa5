import { candidatesOf, rowsOf, takesPart } from './parts.ts'
import { runCandidate } from './run-candidate.ts'
import { median, spread } from './statistics.ts'
import type { Candidate, Measurement, ResultRow, Row, Suite, SuiteContext } from './suite.ts'

export interface RunOptions extends SuiteContext {
  /** Only these candidates, and the baselines. Empty: all. */
  readonly candidates: readonly string[]
  /** Only these rows. Empty: all. */
  readonly rows: readonly string[]
  /** Processes for each candidate and row. Default: the suite's. */
  readonly repetitions?: number | undefined
  /** Where the candidates' processes find the suite when it is not in `suites`. */
  readonly module?: string
  /** Called before each process starts. */
  progress(done: number, total: number, job: string): void
}

export interface Failure {
  readonly row: string
  readonly candidate: string
  readonly reason: string
}

export interface Outcome {
  readonly rows: readonly ResultRow[]
  readonly failures: readonly Failure[]
}

interface Job {
  readonly candidate: Candidate
  readonly rows: readonly Row[]
}

/**
 * Runs every candidate in separate processes. Resolves to the medians and the failures: a process that died, a
 * candidate that threw, or work that differs from that of the row. Failed rows have no result.
 *
 * Repetitions are the outer loop, so that a slow minute of the machine affects all candidates equally.
 */
export async function runSuite(suite: Suite, options: RunOptions): Promise<Outcome> {
  const context: SuiteContext = { quick: options.quick, args: options.args }
  const rows = pick(await rowsOf(suite, context), options.rows, [], 'row')
  const needed = [suite.baseline, ...rows.flatMap(({ baseline }) => baseline ?? [])]
  const candidates = pick(candidatesOf(suite, context), options.candidates, needed, 'candidate')
  const opened = await suite.open?.(context)
  try {
    const results = new Results(rows)
    const jobs = jobsOf(suite, candidates, rows)
    const repetitions = options.repetitions ?? suite.repetitions ?? (options.quick ? 3 : 5)
    for (let repetition = 0; repetition < repetitions; repetition += 1) {
      for (const [index, job] of jobs.entries()) {
        const label = `${job.candidate.name}: ${job.rows.length === 1 ? job.rows[0]?.name : `${job.rows.length} rows`}`
        options.progress(repetition * jobs.length + index, repetitions * jobs.length, label)
        await carryOut(suite, options, job, opened?.shared, results)
      }
    }
    return results.outcome(suite, candidates)
  } finally {
    await opened?.close?.()
  }
}

async function carryOut(suite: Suite, options: RunOptions, job: Job, shared: unknown, results: Results): Promise<void> {
  const reports = await runCandidate({
    order: {
      suite: suite.name,
      ...(options.module === undefined ? {} : { module: options.module }),
      candidate: job.candidate.name,
      rows: job.rows.map(({ name }) => name),
      quick: options.quick,
      args: options.args,
      shared,
    },
    execArgv: suite.execArgv ?? [],
    timeLimit: suite.timeLimit ?? 600_000,
  })
  for (const report of reports) {
    if ('failure' in report) results.fail(report.row, job.candidate.name, report.failure)
    else results.add(report.row, job.candidate.name, report.measurement)
  }
}

function pick<T extends { readonly name: string }>(
  all: readonly T[],
  wanted: readonly string[],
  needed: readonly string[],
  kind: string,
): readonly T[] {
  const names = all.map(({ name }) => name)
  for (const name of [...wanted, ...needed]) {
    if (!names.includes(name)) throw new Error(`unknown ${kind} '${name}'; there are: ${names.join(', ')}`)
  }
  return wanted.length === 0 ? all : all.filter(({ name }) => wanted.includes(name) || needed.includes(name))
}

function jobsOf(suite: Suite, candidates: readonly Candidate[], rows: readonly Row[]): Job[] {
  const jobs = candidates.map((candidate) => ({ candidate, rows: rows.filter((row) => takesPart(candidate, row)) }))
  if (suite.processPer === 'candidate') return jobs.filter((job) => job.rows.length > 0)
  // Row by row, so that compared candidates run close together in time.
  return rows.flatMap((row) =>
    jobs.filter((job) => job.rows.includes(row)).map(({ candidate }) => ({ candidate, rows: [row] })),
  )
}

/** The reports of the processes so far. */
class Results {
  readonly #rows: readonly Row[]
  readonly #values = new Map<string, number[]>()
  readonly #failures = new Map<string, Failure>()

  constructor(rows: readonly Row[]) {
    this.#rows = rows
  }

  fail(row: string, candidate: string, reason: string): void {
    this.#failures.set(cell(row, candidate), { row, candidate, reason })
  }

  add(rowName: string, candidate: string, { value, work }: Measurement): void {
    const row = this.#rows.find(({ name }) => name === rowName)
    const complaint = row === undefined ? 'this row was not requested' : complaintAbout(row, candidate, work)
    if (complaint !== undefined) this.fail(rowName, candidate, complaint)
    else if (!Number.isFinite(value) || value < 0) this.fail(rowName, candidate, `its figure is ${value}`)
    else {
      const values = this.#values.get(cell(rowName, candidate))
      if (values === undefined) this.#values.set(cell(rowName, candidate), [value])
      else values.push(value)
    }
  }

  outcome(suite: Suite, candidates: readonly Candidate[]): Outcome {
    const rows: ResultRow[] = []
    for (const row of this.#rows) {
      const baseline = row.baseline ?? suite.baseline
      const base = this.#figure(row.name, baseline)
      for (const { name } of candidates) {
        const values = this.#figure(row.name, name)
        if (values === undefined) continue
        if (base === undefined) {
          this.fail(
            row.name,
            baseline,
            this.#failures.get(cell(row.name, baseline))?.reason ?? 'the baseline has no figure',
          )
          continue
        }
        const value = median(values)
        const ratio = value === median(base) ? 1 : value / median(base)
        rows.push({
          suite: suite.name,
          row: row.name,
          candidate: name,
          unit: row.unit,
          value,
          spread: spread(values),
          baseline,
          ratio,
        })
      }
    }
    return { rows, failures: [...this.#failures.values()] }
  }

  /** The figures of a row that never failed. */
  #figure(row: string, candidate: string): number[] | undefined {
    return this.#failures.has(cell(row, candidate)) ? undefined : this.#values.get(cell(row, candidate))
  }
}

function cell(row: string, candidate: string): string {
  return JSON.stringify([row, candidate])
}

function complaintAbout(row: Row, candidate: string, work: number): string | undefined {
  if (typeof row.work === 'function') return row.work(work, candidate)
  return work === row.work ? undefined : `it did not do the work of the row: reported ${work}, expected ${row.work}`
}
