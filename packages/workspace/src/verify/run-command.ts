import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Whether to print the output while the command runs. Default false. */
  readonly show?: boolean
}

export interface CommandResult {
  readonly code: number | null
  readonly output: string
}

/** Resolves to the exit code of a command and its whole output, for every exit code. */
export async function tryCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (options.show) process.stdout.write(chunk)
    })
  }
  const [code]: (number | null)[] = await once(child, 'close')
  return { code: code ?? null, output }
}

/** Resolves to the output of a command; rejects with it when the exit code is not 0. */
export async function runCommand(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { code, output } = await tryCommand(file, args, options)
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with code ${code}\n${output}`)
  return output
}
