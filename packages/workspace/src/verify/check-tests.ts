import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Tally } from './tally.ts'
import { turboTask } from './turbo-task.ts'
import { type WorkspacePackage, workspacePackages } from './workspace.ts'

/** The members of vitest's JSON report that are read here. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages?: readonly string[] | null
    }[]
  }[]
}

function reportFile(directory: string): string {
  return join(directory, 'reports', 'tests.json')
}

async function readReport(file: string): Promise<Report | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : JSON.parse(text)
}

/** Counts every test of a report, and every test file that failed without a failed test in it. */
function count(tally: Tally, name: string, report: Report): { passed: number; failed: number; skipped: number } {
  const failedBefore = tally.failed
  tally.pass(report.numPassedTests)
  for (const file of report.testResults) {
    const failed = file.assertionResults.filter((test) => test.status === 'failed')
    for (const test of failed) tally.fail(`${name}: ${test.fullName}`, (test.failureMessages ?? []).join('\n'))
    if (file.status === 'failed' && failed.length === 0) tally.fail(`${name}: ${file.name}`, file.message ?? '')
  }
  return {
    passed: report.numPassedTests,
    failed: tally.failed - failedBefore,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

export interface TestRun {
  /** Whether the run ended with exit code 0. */
  readonly ok: boolean
  /** Whether the report is that of an earlier run of the same sources. */
  readonly cached: boolean
  /** Where vitest wrote its report. Default: where the `test` script of every package has it written. */
  readonly report?: string
}

/** Counts the tests of one package from the report of a run. */
export async function countPackage(
  tally: Tally,
  one: Pick<WorkspacePackage, 'name' | 'directory'>,
  { ok, cached, report: file = reportFile(one.directory) }: TestRun,
): Promise<void> {
  const report = await readReport(file)
  if (!report) {
    tally.fail(`tests of ${one.name}`, 'vitest wrote no report')
    return
  }
  const { passed, failed, skipped } = count(tally, one.name, report)
  // An error outside of all tests (a set-up, an unhandled rejection) fails the run and is in no report.
  if (!ok && failed === 0) tally.fail(`tests of ${one.name}`, 'vitest failed although no test did, see above')
  const note = cached ? ' (unchanged, from the cache)' : ''
  tally.note(`${one.name}: ${passed} passed, ${failed} failed, ${skipped} skipped${note}`)
}

/** Every test of every package. A package whose sources have not changed counts with the report of its last run. */
export async function checkTests(tally: Tally): Promise<void> {
  const packages = (await workspacePackages()).filter(({ manifest }) => manifest.scripts?.test !== undefined)
  // turbo restores the report of a cached run. A report that it does not restore must not be read.
  for (const { directory } of packages) await rm(reportFile(directory), { force: true })
  const { results } = await turboTask('test', true)
  for (const one of packages) {
    const result = results.find(({ name }) => name === one.name)
    await countPackage(tally, one, result ?? { ok: false, cached: false })
  }
}
