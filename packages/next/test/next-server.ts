import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { freePort, waitUntil } from '@cache/workspace'

const directory = join(import.meta.dirname, 'app')
const next = createRequire(import.meta.url).resolve('next/dist/bin/next')

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): { child: ChildProcess; log: () => string } {
  const { REDIS_URL: _, NODE_ENV: __, ...inherited } = process.env
  const child = spawn(process.execPath, [next, ...args], {
    cwd: directory,
    env: { ...inherited, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  const collect = (chunk: unknown): void => {
    text += String(chunk)
  }
  child.stdout?.on('data', collect)
  child.stderr?.on('data', collect)
  return { child, log: () => text }
}

/** Builds the application. Resolves to the output. */
export async function nextBuild(): Promise<string> {
  const { child, log } = run(['build'], {})
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`next build ended with code ${code}:\n${log()}`)
  return log()
}

/** A process of `next start`. */
export class NextServer {
  readonly #child: ChildProcess
  readonly #port: number
  readonly log: () => string

  private constructor(child: ChildProcess, port: number, log: () => string) {
    this.#child = child
    this.#port = port
    this.log = log
  }

  static async start(env: Readonly<Record<string, string>>): Promise<NextServer> {
    const port = await freePort()
    const { child, log } = run(['start', '-p', String(port), '-H', '127.0.0.1'], env)
    const server = new NextServer(child, port, log)
    await waitUntil(`next start answers:\n${log()}`, () => log().includes('Ready in'), { timeout: 60_000 })
    return server
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#port}${path}`, { signal: AbortSignal.timeout(30_000), ...init })
  }

  /** The texts of the elements `<b id>` of a page that must be there. */
  async read(path: string): Promise<Record<string, string>> {
    const response = await this.fetch(path)
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}:\n${this.log()}`)
    const texts = [...(await response.text()).matchAll(/<b id="(\w+)">([^<]*)<\/b>/g)]
    return Object.fromEntries(texts.map(([, id, text]) => [id, text]))
  }

  /** Calls the route that invalidates. */
  async revalidate(body: object): Promise<void> {
    const response = await this.fetch('/api/revalidate', { method: 'POST', body: JSON.stringify(body) })
    if (response.status !== 200) throw new Error(`revalidate answered ${response.status}:\n${this.log()}`)
  }

  /** Submits the form of a page, as a browser without JavaScript does. */
  async submit(path: string): Promise<void> {
    const html = await (await this.fetch(path)).text()
    const form = new FormData()
    for (const [, name = ''] of html.matchAll(/name="(\$ACTION_[^"]*)"/g)) form.append(name, '')
    const response = await this.fetch(path, { method: 'POST', body: form })
    if (response.status >= 400) throw new Error(`the action answered ${response.status}:\n${this.log()}`)
    await response.arrayBuffer()
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await exited
  }
}
