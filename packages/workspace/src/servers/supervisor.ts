// Not for import: `server-process.ts` runs this file as a process between the tests and one server, so that the server
// ends with the tests even when these are killed. It reads lines from its standard input (`start` starts the server)
// and writes lines of JSON to its standard output (`{ pid }`, `{ exit }`). The end of its input is the end of the
// tests, however they ended: then the server is ended and its folder removed.
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { processTree } from '../machine/process-tree.ts'
import type { ServerCommand } from './server-process.ts'

const given = process.argv[2]
if (given === undefined) throw new Error('the supervisor needs the command of the server as its argument')
const command: ServerCommand = JSON.parse(given)
let server: ChildProcess | undefined

function report(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

function start(): void {
  const log = openSync(command.logFile, 'a')
  const owner = command.user ? { uid: command.user.uid, gid: command.user.gid } : {}
  const child = spawn(command.file, command.args, {
    cwd: command.directory,
    stdio: ['ignore', log, log],
    env: { ...process.env, LC_ALL: 'C' },
    ...owner,
  })
  server = child
  child.on('error', (error) => report({ exit: `could not be started: ${error.message}` }))
  child.on('exit', (code, signal) => {
    server = undefined
    report({ exit: signal ?? `code ${code}` })
  })
  if (child.pid !== undefined) report({ pid: child.pid })
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // The process has already ended.
  }
}

async function end(): Promise<void> {
  const child = server
  if (child?.pid !== undefined) {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    for (const pid of (await processTree(child.pid)).reverse()) signalQuietly(pid, 'SIGKILL')
    await ended
  }
  await rm(command.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  process.exit(0)
}

// The tests may have ended before the report of the server's end.
process.stdout.on('error', () => {})
// Ctrl+C ends the tests, and the end of the tests ends the supervisor.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('SIGHUP', () => {})

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  if (line === 'start') start()
})
lines.on('close', () => void end())
