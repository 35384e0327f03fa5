import { runCommand } from './run-command.ts'
import type { Tally } from './tally.ts'
import { turboTask } from './turbo-task.ts'
import { root } from './workspace.ts'

/** Lint and format of the whole repository. */
export async function checkLint(tally: Tally): Promise<void> {
  await tally.check('lint', () => runCommand('biome', ['ci', '--colors=off', '.'], { cwd: root }))
}

/** A task of every package that passes with its exit code: type check, build. */
export async function checkTask(tally: Tally, task: string): Promise<void> {
  const { results, output } = await turboTask(task, false)
  if (results.length === 0) tally.fail(task, 'no package has such a script')
  for (const { name, ok } of results) {
    if (ok) tally.pass()
    else tally.fail(`${task} of ${name}`, linesOf(output, name, task))
  }
}

function linesOf(output: string, name: string, task: string): string {
  const own = output.split('\n').filter((line) => line.startsWith(`${name}:${task}: `))
  return own.length > 0 ? own.join('\n') : output
}

/** Runs the program of the README. It checks its own answers. */
export async function checkQuickstart(tally: Tally): Promise<void> {
  await tally.check('quickstart', () => runCommand(process.execPath, ['docs/examples/quickstart.ts'], { cwd: root }))
}
