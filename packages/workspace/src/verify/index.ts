// `pnpm verify`: all checks. The last line is `N passed, N failed`.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkHistory } from './check-history.ts'
import { checkInstalled } from './check-installed.ts'
import { checkProjects } from './check-projects.ts'
import { checkServers } from './check-servers.ts'
import { checkLint, checkQuickstart, checkTask } from './check-sources.ts'
import { checkTarballs, type Tarballs } from './check-tarballs.ts'
import { checkTests } from './check-tests.ts'
import { installNodes } from './install-nodes.ts'
import type { NodeVersion } from './node-versions.ts'
import { runSteps } from './run-steps.ts'

const temporary = await mkdtemp(join(tmpdir(), 'cache-verify-'))
let tarballs: Tarballs = new Map()
let nodes: NodeVersion[] = []

try {
  await runSteps([
    { name: 'servers', run: checkServers },
    { name: 'lint', run: checkLint },
    { name: 'types', run: (tally) => checkTask(tally, 'typecheck') },
    { name: 'tests', run: checkTests },
    { name: 'quickstart', run: checkQuickstart },
    { name: 'histories', run: checkHistory },
    { name: 'build', run: (tally) => checkTask(tally, 'build') },
    {
      name: 'packed packages',
      run: async (tally) => {
        tarballs = await checkTarballs(tally, join(temporary, 'tarballs'))
      },
    },
    {
      name: 'versions of Node',
      run: async (tally) => {
        nodes = await installNodes(tally)
      },
    },
    { name: 'installed packages', run: (tally) => checkInstalled(tally, temporary, tarballs, nodes) },
    { name: 'projects', run: (tally) => checkProjects(tally, temporary, tarballs, nodes) },
  ])
} finally {
  await rm(temporary, { recursive: true, force: true })
}
