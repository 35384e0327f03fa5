import { runCommand, tryCommand } from '../verify/run-command.ts'

async function lines(directory: string, args: readonly string[]): Promise<string[]> {
  const output = await runCommand('git', ['-c', 'core.quotePath=false', ...args], { cwd: directory })
  return output.split('\n').filter((line) => line !== '')
}

/** Resolves to the commit at which the current branch left `branch`. */
async function branchPoint(directory: string, branch: string): Promise<string> {
  const { code, output } = await tryCommand('git', ['merge-base', 'HEAD', branch], { cwd: directory })
  if (code === 0) return output.trim()
  throw new Error(`git finds no common commit with '${branch}': name a branch or a commit, as in 'pnpm check HEAD~1'`)
}

/**
 * Resolves to the files that differ from the commit at which the current branch left `branch`: committed, uncommitted
 * and untracked ones, without deleted ones. Paths begin at the top of the repository.
 */
export async function changedFiles(directory: string, branch: string): Promise<string[]> {
  const base = await branchPoint(directory, branch)
  const tracked = await lines(directory, ['diff', '--name-only', '--diff-filter=d', base])
  const untracked = await lines(directory, ['ls-files', '--others', '--exclude-standard'])
  return [...new Set([...tracked, ...untracked])].sort()
}
