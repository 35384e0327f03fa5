import { type ChildProcess, fork } from 'node:child_process'
import type { Order, Report } from './candidate-messages.ts'

export interface CandidateRun {
  readonly order: Order
  readonly execArgv: readonly string[]
  /** Milliseconds. */
  readonly timeLimit: number
}

/**
 * Resolves to one report for each row of the order, in any sequence. A process that dies or takes too long fails its
 * missing rows.
 */
export async function runCandidate({ order, execArgv, timeLimit }: CandidateRun): Promise<Report[]> {
  const child = fork(new URL('./candidate-process.ts', import.meta.url), {
    execArgv: [...execArgv],
    // JSON would turn a figure of NaN into null.
    serialization: 'advanced',
  })
  const reports: Report[] = []
  child.on('message', (report: Report) => reports.push(report))
  const ending = await lifeOf(child, order, timeLimit)
  const done = new Set(reports.map(({ row }) => row))
  for (const row of order.rows) {
    if (!done.has(row)) reports.push({ row, failure: ending })
  }
  return reports
}

/** Sends the order, and resolves to a description of the end of the process. */
function lifeOf(child: ChildProcess, order: Order, timeLimit: number): Promise<string> {
  return new Promise((resolve) => {
    let tooLong = false
    const timer = setTimeout(() => {
      tooLong = true
      child.kill('SIGKILL')
    }, timeLimit)
    child.once('error', (error) => {
      clearTimeout(timer)
      resolve(`its process failed: ${error.message}`)
    })
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      resolve(tooLong ? `it took more than ${timeLimit} ms` : `its process ended (${signal ?? code}) without a report`)
    })
    // The 'exit' event reports a process that dies at once; the failure of `send` adds nothing.
    child.send(order, () => {})
  })
}
