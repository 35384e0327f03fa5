import { tryCommand } from './run-command.ts'
import type { Tally } from './tally.ts'
import { root } from './workspace.ts'

/** Seconds of calls. Starting servers and checking takes the rest of a minute. */
const duration = 36

/** Runs the history checker of the benchmarks on every shared store. Each history counts, and each broken promise fails. */
export async function checkHistory(tally: Tally): Promise<void> {
  const args = ['packages/bench/src/index.ts', 'history', '--duration', String(duration)]
  const { code, output } = await tryCommand(process.execPath, args, { cwd: root })
  countHistories(tally, code, output)
}

/** Counts the histories from the output of the program. */
export function countHistories(tally: Tally, code: number | null, output: string): void {
  const [, passed, failed] = output.match(/^(\d+) passed, (\d+) failed$/m) ?? []
  if (passed === undefined || failed === undefined || code === null || code > 1 || Number(passed) === 0) {
    tally.fail('history', `the program ended with code ${code}\n${output}`)
    return
  }
  tally.pass(Number(passed))
  for (const line of output.split('\n')) if (/^\S+: \d+ calls, /.test(line)) tally.note(line)
  const reasons = output.split(/^FAILED /m).slice(1)
  for (let index = 0; index < Number(failed); index += 1) {
    const [name = 'history', ...calls] = (reasons[index] ?? 'history\nsee the kept file').split('\n')
    tally.fail(`history: ${name}`, calls.join('\n'))
  }
}
