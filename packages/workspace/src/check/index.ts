// `pnpm check [branch]`: lint, types, and the tests that import a file changed since the current branch left `branch`
// (default `main`). The last line is `N passed, N failed`.
import { relative } from 'node:path'
import { checkLint, checkTask } from '../verify/check-sources.ts'
import { runSteps } from '../verify/run-steps.ts'
import { root, workspacePackages } from '../verify/workspace.ts'
import { changedFiles } from './changed-files.ts'
import { chooseTests } from './choose-tests.ts'
import { runRelatedTests } from './run-related-tests.ts'

const [branch = 'main'] = process.argv.slice(2)

await runSteps([
  { name: 'lint', run: checkLint },
  { name: 'types', run: (tally) => checkTask(tally, 'typecheck') },
  {
    name: 'tests of changed code',
    run: async (tally) => {
      const folders = (await workspacePackages()).map(({ directory }) => relative(root, directory))
      for (const chosen of chooseTests(folders, await changedFiles(root, branch))) {
        await runRelatedTests(tally, root, chosen)
      }
    },
  },
])
