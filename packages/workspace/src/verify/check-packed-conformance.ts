import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Tarballs } from './check-tarballs.ts'
import { emptyProject } from './empty-project.ts'
import type { NodeVersion } from './node-versions.ts'
import { tryCommand } from './run-command.ts'
import type { Tally } from './tally.ts'

const scripts = fileURLToPath(new URL('../../smoke/', import.meta.url))

/** One line of `smoke/reporter.mjs`. */
interface Line {
  readonly name: string
  readonly status: 'passed' | 'failed' | 'skipped'
  readonly reason?: string
}

async function run(project: string, node: NodeVersion, env: Readonly<Record<string, string>>): Promise<Line[]> {
  const lines = join(project, `tests-${node.version}.jsonl`)
  const reporter = ['--test-reporter=./reporter.mjs', `--test-reporter-destination=${lines}`]
  const args = ['--test', ...reporter, 'packed-conformance.mjs']
  const { code, output } = await tryCommand(node.file, args, { cwd: project, env })
  const text = await readFile(lines, 'utf8').catch(() => '')
  const tests = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Line => JSON.parse(line))
  const failed = tests.some(({ status }) => status === 'failed')
  if (tests.length === 0 || (code !== 0 && !failed)) throw new Error(`node --test ended with code ${code}\n${output}`)
  return tests
}

/** Runs the packed conformance suite under plain `node --test` on every Node, in a project without vitest. */
export async function checkPackedConformance(
  tally: Tally,
  directory: string,
  tarballs: Tarballs,
  nodes: readonly NodeVersion[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const project = await emptyProject(join(directory, 'conformance'), [...tarballs.keys()], tarballs)
  for (const file of ['packed-conformance.mjs', 'reporter.mjs'])
    await copyFile(join(scripts, file), join(project, file))
  for (const node of nodes) {
    const name = `packed conformance suite on Node ${node.version}`
    await tally.check(name, async () => {
      const tests = await run(project, node, env)
      const passed = tests.filter(({ status }) => status === 'passed').length
      const failed = tests.filter(({ status }) => status === 'failed')
      tally.pass(passed)
      for (const test of failed) tally.fail(`${name}: ${test.name}`, test.reason ?? '')
      const skipped = tests.length - passed - failed.length
      tally.note(`${name}: ${passed} passed, ${failed.length} failed, ${skipped} skipped`)
    })
  }
}
