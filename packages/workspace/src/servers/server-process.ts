import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { OsUser } from '../machine/os-user.ts'
import { processTree } from '../machine/process-tree.ts'
import { waitUntil } from '../machine/wait-until.ts'
import type { Server } from './server.ts'

/** The command that the supervisor runs. */
export interface ServerCommand {
  readonly file: string
  readonly args: readonly string[]
  /** Working folder of the server, owned by it and removed at its end. */
  readonly directory: string
  readonly logFile: string
  /** The account to run as, where the server refuses to run as root. */
  readonly user?: OsUser
}

export interface ServerProcessOptions {
  /** For messages. */
  readonly name: string
  readonly command: ServerCommand
  readonly url: string
  readonly port: number
  /** Resolves when the server answers, rejects while it does not. */
  readonly ready: () => Promise<void>
  /** The signal that ends the server in good order. */
  readonly stopSignal: NodeJS.Signals
}

const supervisorFile = fileURLToPath(new URL('./supervisor.ts', import.meta.url))
const startTimeout = 30_000
const stopTimeout = 15_000

/** One server process behind a supervisor, with the controls that every kind of server shares. */
export class ServerProcess implements Server {
  readonly host: string = '127.0.0.1'
  readonly url: string
  readonly port: number
  readonly directory: string
  readonly #options: ServerProcessOptions
  readonly #supervisor: ChildProcess
  #pid = 0
  #exit: string | undefined = 'not started'
  #stopped = false

  private constructor(options: ServerProcessOptions) {
    this.#options = options
    this.url = options.url
    this.port = options.port
    this.directory = options.command.directory
    // Detached: a signal to the process group of the tests (Ctrl+C, a runner that gives up) must not reach it.
    this.#supervisor = spawn(process.execPath, ['--no-warnings', supervisorFile, JSON.stringify(options.command)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    const output = this.#supervisor.stdout
    if (output) createInterface({ input: output }).on('line', (line) => this.#onMessage(line))
    this.#supervisor.stdin?.on('error', () => {})
    this.#supervisor.on('exit', () => {
      this.#exit ??= 'its supervisor ended'
    })
  }

  /** Resolves to a running server; rejects with the end of its log when it does not come up. */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const server = new ServerProcess(options)
    try {
      await server.#start()
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  get pid(): number {
    return this.#pid
  }

  #onMessage(line: string): void {
    const message: { pid?: number; exit?: string } = JSON.parse(line)
    if (message.pid !== undefined) {
      this.#pid = message.pid
      this.#exit = undefined
    }
    if (message.exit !== undefined) this.#exit = message.exit
  }

  async #start(): Promise<void> {
    this.#exit = undefined
    this.#pid = 0
    this.#supervisor.stdin?.write('start\n')
    const { name, ready } = this.#options
    const outcome = await waitUntil(`${name} answers`, async () => this.#exit ?? (await this.#answers(ready)), {
      timeout: startTimeout,
      every: 20,
    }).catch(async (error: unknown) => {
      throw new Error(`${name} did not come up\n${await this.#lastOfLog()}`, { cause: error })
    })
    if (outcome !== true) throw new Error(`${name} ended at once (${outcome})\n${await this.#lastOfLog()}`)
  }

  async #answers(ready: () => Promise<void>): Promise<boolean> {
    if (this.#pid === 0) return false
    await ready()
    return true
  }

  async log(): Promise<string> {
    return await readFile(this.#options.command.logFile, 'utf8').catch(() => '')
  }

  async #lastOfLog(): Promise<string> {
    return (await this.log()).split('\n').slice(-15).join('\n')
  }

  async #ended(): Promise<void> {
    await waitUntil(`${this.#options.name} has ended`, () => this.#exit !== undefined, { timeout: stopTimeout })
  }

  async #signalTree(signal: NodeJS.Signals): Promise<void> {
    if (this.#exit !== undefined) throw new Error(`${this.#options.name} is not running (${this.#exit})`)
    for (const pid of await processTree(this.#pid)) {
      try {
        process.kill(pid, signal)
      } catch (error) {
        // A process may end between the listing and the signal.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
  }

  async #end(): Promise<void> {
    if (this.#exit !== undefined) return
    // A frozen process does not act on a signal before it is thawed.
    await this.#signalTree('SIGCONT')
    try {
      process.kill(this.#pid, this.#options.stopSignal)
    } catch {
      // It has ended by itself.
    }
    await this.#ended()
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    // When the good order takes too long, the supervisor ends the server below in the other way.
    await this.#end().catch(() => {})
    if (this.#supervisor.exitCode !== null || this.#supervisor.signalCode !== null) return
    const gone = once(this.#supervisor, 'exit')
    this.#supervisor.stdin?.end()
    await gone
  }

  async kill(): Promise<void> {
    if (this.#exit !== undefined) return
    await this.#signalTree('SIGKILL')
    await this.#ended()
  }

  async freeze(): Promise<void> {
    // Twice: a child forked between the first listing and the stop of its parent is caught by the second.
    await this.#signalTree('SIGSTOP')
    await this.#signalTree('SIGSTOP')
  }

  async thaw(): Promise<void> {
    await this.#signalTree('SIGCONT')
  }

  async restart(): Promise<void> {
    if (this.#stopped) throw new Error(`${this.#options.name} has been stopped and its folder removed`)
    await this.#end()
    await this.#start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
