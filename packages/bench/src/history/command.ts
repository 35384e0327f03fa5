import { countErrors } from './checks/check-errors.ts'
import { checkHistory } from './checks/check-history.ts'
import type { Checked } from './checks/finding.ts'
import { type HistoryOptions, readHistoryOptions } from './command-line.ts'
import { describeFinding, keepHistory } from './report.ts'
import { runSegment } from './run/run-segment.ts'
import { type StoreName, storeOf } from './run/stores.ts'

/** The longest run on one store, in seconds. Its history is checked as a whole. */
const longestSegment = 15
const shownFindings = 5

/** `pnpm bench history`. Resolves to the exit code: 0, or 1 if a promise was broken. */
export async function runHistory(argv: readonly string[]): Promise<number> {
  const options = readHistoryOptions(argv)
  const { duration, stores } = options
  const rounds = Math.ceil(duration / (stores.length * longestSegment))
  const seconds = Math.max(1, duration / (stores.length * rounds))
  let passed = 0
  let failed = 0
  let undecided = 0
  for (let round = 0; round < rounds; round += 1) {
    for (const store of stores) {
      const seed = options.seed + round
      const checked = await runAndCheck(store, seed, seconds, options)
      passed += checked.passed
      failed += checked.findings.length
      undecided += checked.undecided
    }
  }
  if (undecided > 0) console.log(`${undecided} histories were too long to decide`)
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

async function runAndCheck(
  store: StoreName,
  seed: number,
  seconds: number,
  { processes }: HistoryOptions,
): Promise<Checked> {
  const length = Math.ceil(seconds)
  const command = `pnpm bench history --backend ${store} --seed ${seed} --processes ${processes} --duration ${length}`
  console.error(`${store}, seed ${seed}, ${length} s`)
  const show = (fault: string): void => console.error(`  ${store}: ${fault}`)
  const { history, faults } = await runSegment({ store, seed, seconds: length, processes, show })
  const started = performance.now()
  const checked = checkHistory(history, storeOf(store).promises)
  const took = Math.round(performance.now() - started)
  const errors = Object.entries(countErrors(history.calls)).map(([code, count]) => `${code} ${count}`)
  const counts = `${checked.passed} passed, ${checked.findings.length} failed, ${checked.undecided} undecided`
  console.log(`${store}: ${history.calls.length} calls, ${faults} faults; histories: ${counts}; checked in ${took} ms`)
  if (errors.length > 0) console.error(`  errors of calls: ${errors.join(', ')}`)
  if (checked.findings.length > 0) {
    const path = await keepHistory(`${store}-${seed}`, command, checked.findings, history)
    for (const finding of checked.findings.slice(0, shownFindings)) console.log(`FAILED ${describeFinding(finding)}`)
    console.log(`The history is in ${path}\nThe same plan again: ${command}`)
  }
  return checked
}
