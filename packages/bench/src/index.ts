/** The program behind `pnpm bench <suite>`, see README.md. */
import { writeFile } from 'node:fs/promises'
import { readCommandLine } from './harness/command-line.ts'
import { machine } from './harness/machine.ts'
import { candidatesOf, rowsOf } from './harness/parts.ts'
import { createProgress } from './harness/progress.ts'
import { type Outcome, runSuite } from './harness/run-suite.ts'
import type { Suite } from './harness/suite.ts'
import { table } from './harness/table.ts'
import { programs, suites } from './suites.ts'

const usage = `usage: pnpm bench <suite> [args] [--quick] [--json FILE] [--candidate NAME]… [--row NAME]… [--repetitions N]
suites: ${Object.keys(suites).join(', ')}
programs with options of their own: ${Object.keys(programs).join(', ')}`

async function main(): Promise<number> {
  const [name = '', ...rest] = process.argv.slice(2)
  const program = Object.hasOwn(programs, name) ? programs[name] : undefined
  if (program !== undefined) return await (await program())(rest)
  const line = readCommandLine(process.argv.slice(2))
  const load = Object.hasOwn(suites, line.suite) ? suites[line.suite] : undefined
  if (load === undefined) {
    throw new Error(line.suite === '' ? `no suite was named\n${usage}` : `unknown suite '${line.suite}'\n${usage}`)
  }
  const { suite } = await load()
  if (line.args.length > 0 && suite.arguments === undefined) {
    throw new Error(`the suite '${suite.name}' takes no arguments, but got: ${line.args.join(' ')}`)
  }
  console.log(`${suite.name}: ${suite.says}\n${machine(candidatesOf(suite, line))}\n`)
  const progress = createProgress(process.stderr)
  const outcome = await runSuite(suite, { ...line, progress: progress.show })
  progress.end()
  await print(suite, outcome, line)
  if (line.json !== undefined) await writeFile(line.json, `${JSON.stringify(outcome.rows, null, 2)}\n`)
  return outcome.failures.length === 0 ? 0 : 1
}

async function print(
  suite: Suite,
  { rows, failures }: Outcome,
  context: ReturnType<typeof readCommandLine>,
): Promise<void> {
  console.log(table(await rowsOf(suite, context), rows, failures))
  const conclusions = suite.conclude?.(rows) ?? []
  if (conclusions.length > 0) console.log(`\n${conclusions.join('\n')}`)
  for (const { row, candidate, reason } of failures) console.error(`\nFAILED ${candidate}, ${row}: ${reason}`)
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
