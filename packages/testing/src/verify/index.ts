// `pnpm verify`: everything that must hold before a change is taken. Ends with one line, `N passed, N failed`.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkInstalled } from './check-installed.ts'
import { checkServers } from './check-servers.ts'
import { checkLint, checkQuickstart, checkTask } from './check-sources.ts'
import { checkTarballs, type Tarballs } from './check-tarballs.ts'
import { checkTests } from './check-tests.ts'
import { Tally } from './tally.ts'

/** Names of failures in the list at the end; each stands with its reason where it happened. */
const mostNames = 50

const tally = new Tally()
const started = performance.now()
const temporary = await mkdtemp(join(tmpdir(), 'cache-verify-'))
let tarballs: Tarballs = new Map()

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}

async function step(name: string, work: () => Promise<void>): Promise<void> {
  const start = performance.now()
  const { passed, failed } = tally
  process.stdout.write(`\n== ${name} (${seconds(started)} so far)\n`)
  try {
    await work()
  } catch (error) {
    tally.fail(name, error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  const counts = `${tally.passed - passed} passed, ${tally.failed - failed} failed`
  process.stdout.write(`== ${name}: ${counts} in ${seconds(start)}\n`)
}

try {
  await step('servers', () => checkServers(tally))
  await step('lint', () => checkLint(tally))
  await step('types', () => checkTask(tally, 'typecheck'))
  await step('tests', () => checkTests(tally))
  await step('quickstart', () => checkQuickstart(tally))
  await step('build', () => checkTask(tally, 'build'))
  await step('packed packages', async () => {
    tarballs = await checkTarballs(tally, join(temporary, 'tarballs'))
  })
  await step('installed packages', () => checkInstalled(tally, temporary, tarballs))
} finally {
  await rm(temporary, { recursive: true, force: true })
}

if (tally.failed > 0) {
  const names = tally.failures.slice(0, mostNames).map(({ name }) => `  ${name}\n`)
  const rest = tally.failed > names.length ? `  and ${tally.failed - names.length} more, see above\n` : ''
  process.stdout.write(`\nFailed:\n${names.join('')}${rest}`)
  process.exitCode = 1
}
process.stdout.write(`\nin ${seconds(started)}\n${tally.passed} passed, ${tally.failed} failed\n`)
