import { Tally } from './tally.ts'

/** A part of a program that checks things, with the name that it is shown under. */
export interface Step {
  readonly name: string
  readonly run: (tally: Tally) => Promise<void>
}

/** The number of failures that the list at the end names; each has been printed with its reason when it happened. */
const mostNames = 50

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}

async function runStep({ name, run }: Step, tally: Tally, started: number): Promise<void> {
  const start = performance.now()
  const { passed, failed } = tally
  process.stdout.write(`\n== ${name} (${seconds(started)} so far)\n`)
  try {
    await run(tally)
  } catch (error) {
    tally.fail(name, error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  const counts = `${tally.passed - passed} passed, ${tally.failed - failed} failed`
  process.stdout.write(`== ${name}: ${counts} in ${seconds(start)}\n`)
}

/**
 * Runs every step, also after one that failed. Prints the failures and, as the last line, `N passed, N failed`.
 * Sets the exit code of the process to 1 when anything failed.
 */
export async function runSteps(steps: readonly Step[]): Promise<void> {
  const tally = new Tally()
  const started = performance.now()
  for (const step of steps) await runStep(step, tally, started)
  if (tally.failed > 0) {
    const names = tally.failures.slice(0, mostNames).map(({ name }) => `  ${name}\n`)
    const rest = tally.failed > names.length ? `  and ${tally.failed - names.length} more, see above\n` : ''
    process.stdout.write(`\nFailed:\n${names.join('')}${rest}`)
    process.exitCode = 1
  }
  process.stdout.write(`\nin ${seconds(started)}\n${tally.passed} passed, ${tally.failed} failed\n`)
}
