import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countPackage } from '../verify/check-tests.ts'
import { tryCommand } from '../verify/run-command.ts'
import type { Tally } from '../verify/tally.ts'
import type { ChosenTests } from './choose-tests.ts'

/** Runs the chosen tests of one package and counts them. */
export async function runRelatedTests(tally: Tally, root: string, { folder, related }: ChosenTests): Promise<void> {
  const directory = join(root, folder)
  const temporary = await mkdtemp(join(tmpdir(), 'cache-check-'))
  const report = join(temporary, 'tests.json')
  try {
    const tests = related === 'all' ? ['run'] : ['related', '--run', '--passWithNoTests', ...related]
    // As in the `test` script of each package.
    const limits = ['--testTimeout=60000', '--hookTimeout=60000']
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const args = [...tests, ...limits, ...reporters]
    const { code } = await tryCommand('vitest', args, { cwd: directory, show: true, env: { NO_COLOR: '1' } })
    await countPackage(tally, { name: folder, directory }, { ok: code === 0, cached: false, report })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}
