import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Finding } from './checks/finding.ts'
import { type Call, type History, millisecond } from './record/call.ts'

const folder = join(import.meta.dirname, '..', '..', 'reports', 'history')

/** The calls of a finding, one on each line, in the order of their invocations. */
export function describeFinding({ promise, area, key, message, calls }: Finding): string {
  const lines = [...calls].sort((a, b) => a.start - b.start).map(describeCall)
  return [`${promise}, key '${key}' of '${area}': ${message}`, ...lines.map((line) => `  ${line}`)].join('\n')
}

function describeCall({ id, request, start, end, outcome, result, error, notes }: Call): string {
  const { do: method, ...args } = request
  const until = end === Infinity ? 'no end' : `${milliseconds(end)} ms`
  const answer = outcome === 'done' ? JSON.stringify(result) : outcome === 'failed' ? error : 'no answer'
  const noted = notes.map(({ what, at, value }) => ` [${what} ${value ?? ''} at ${milliseconds(at)} ms]`).join('')
  return `${milliseconds(start)} to ${until}  ${id}  ${method} ${JSON.stringify(args)} -> ${answer}${noted}`
}

function milliseconds(nanoseconds: number): string {
  return (nanoseconds / millisecond).toFixed(3)
}

/** Writes a failing history with its findings to a file. Resolves to the path. */
export async function keepHistory(
  name: string,
  command: string,
  findings: readonly Finding[],
  history: History,
): Promise<string> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${name}.json`)
  await writeFile(path, `${JSON.stringify({ command, findings, history })}\n`)
  return path
}
