import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tryCommand } from './run-command.ts'
import { root } from './workspace.ts'

export interface TaskResult {
  /** The package's name. */
  readonly name: string
  readonly ok: boolean
  readonly cached: boolean
}

interface Summary {
  readonly tasks: readonly {
    readonly package: string
    readonly task: string
    readonly command: string
    readonly cache: { readonly status: string }
    readonly execution?: { readonly exitCode: number | null } | null
  }[]
}

const runs = join(root, '.turbo', 'runs')

/**
 * Runs one task of every package through turbo. Resolves to the result for each package that has the script, and to the
 * whole output.
 */
export async function turboTask(task: string, show: boolean): Promise<{ results: TaskResult[]; output: string }> {
  await rm(runs, { recursive: true, force: true })
  const logs = show ? 'new-only' : 'errors-only'
  const args = ['run', task, '--continue=always', '--summarize', `--output-logs=${logs}`, '--log-order=stream']
  const { output } = await tryCommand('turbo', args, { cwd: root, show, env: { NO_COLOR: '1' } })
  const files = await readdir(runs).catch(() => [])
  const [file] = files.filter((name) => name.endsWith('.json'))
  if (file === undefined) throw new Error(`turbo wrote no summary\n${output}`)
  const summary: Summary = JSON.parse(await readFile(join(runs, file), 'utf8'))
  const tasks = summary.tasks.filter((one) => one.task === task && one.command !== '<NONEXISTENT>')
  const results = tasks.map((one) => ({
    name: one.package,
    // A task that turbo did not start has no execution, and has not passed.
    ok: one.execution?.exitCode === 0,
    cached: one.cache.status === 'HIT',
  }))
  return { results, output }
}
