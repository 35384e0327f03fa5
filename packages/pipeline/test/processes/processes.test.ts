import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {} from '@cache/workspace/redis-setup'
import { describe, expect, inject, it, type TestContext } from 'vitest'
import type { Order, Report } from './pipeline-process.ts'

type Result = Extract<Report, { kind: 'result' }>

/** A process that runs the pipeline. */
class Process {
  readonly #child: ChildProcess
  readonly #reports: Report[] = []
  #look: () => void = () => {}

  constructor(order: Order, { onTestFinished }: TestContext) {
    const script = join(import.meta.dirname, 'pipeline-process.ts')
    this.#child = fork(script, [JSON.stringify(order)], { execArgv: [], stdio: 'inherit' })
    this.#child.on('message', (report: Report) => {
      this.#reports.push(report)
      this.#look()
    })
    this.#child.on('exit', () => this.#look())
    onTestFinished(() => {
      this.#child.kill('SIGKILL')
    })
  }

  go(): void {
    // A process that needed no function may have ended.
    if (this.#child.connected) this.#child.send('go', () => {})
  }

  /** Resolves to the first report of this kind and, if given, with this name. Rejects when the process ends without it. */
  async first(kind: Report['kind'], name?: string): Promise<Report> {
    for (;;) {
      const found = this.#reports.find(
        (one) => one.kind === kind && (name === undefined || ('name' in one && one.name === name)),
      )
      if (found !== undefined) return found
      const failed = this.#reports.find((one) => one.kind === 'failed')
      const { exitCode, signalCode } = this.#child
      if (failed !== undefined || exitCode !== null || signalCode !== null)
        throw new Error(`no ${kind}: ${JSON.stringify(this.#reports)}`)
      await new Promise<void>((resolve) => {
        this.#look = resolve
      })
    }
  }

  async result(): Promise<Result> {
    return (await this.first('result')) as Result
  }

  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

/** The order for a store that only one test uses. */
function orderOn(store: Order['store'], { onTestFinished }: TestContext): Order {
  const place = store === 'redis' ? inject('redisUrl') : mkdtempSync(join(tmpdir(), 'cache-pipeline-processes-'))
  if (store === 'file') onTestFinished(() => rmSync(place, { recursive: true, force: true }))
  const prefix = `pipeline-${process.pid}-${Math.random().toString(36).slice(2)}`
  return { store, place, prefix, version: 'v', items: 4, waits: false }
}

const value = 'v0,v1,v2,v3'
/** Several processes start on a busy machine, and the lease of a killed process ends after ten seconds. */
const longest = 180_000
const names = ['item 0', 'item 1', 'item 2', 'item 3', 'sum']

describe.concurrent.each(['file', 'redis'] as const)('processes on %s', (store) => {
  it(
    'compute each node once when they run the same pipeline',
    async (context) => {
      const order = { ...orderOn(store, context), waits: true }
      const one = new Process(order, context)
      await one.first('begun')
      const other = new Process(order, context)
      // The other one has looked for the result, and waits for it.
      await other.first('missed')
      one.go()
      other.go()
      const results = await Promise.all([one.result(), other.result()])
      expect(results.map((result) => result.value)).toEqual([value, value])
      expect(results.flatMap(({ computed }) => computed).sort()).toEqual(names)
    },
    longest,
  )

  it(
    'that are killed lose only the work that they had not finished',
    async (context) => {
      const order = orderOn(store, context)
      const killed = new Process({ ...order, items: 2 }, context)
      expect((await killed.result()).computed).toEqual(['item 0', 'item 1', 'sum'])
      // Two items are stored by now; this process begins the third one.
      const other = new Process({ ...order, waits: true }, context)
      await other.first('begun', 'item 2')
      await other.kill()
      const last = await new Process(order, context).result()
      expect(last.value).toBe(value)
      expect(last.computed).toEqual(['item 2', 'item 3', 'sum'])
    },
    longest,
  )

  it(
    'with old and new code never mix their results',
    async (context) => {
      const order = { ...orderOn(store, context), waits: true }
      const both = ['v', 'w'].map((version) => new Process({ ...order, version }, context))
      await Promise.all(both.map((one) => one.first('begun')))
      for (const one of both) one.go()
      const results = await Promise.all(both.map((one) => one.result()))
      expect(results.map((result) => result.value)).toEqual([value, 'w0,w1,w2,w3'])
      expect(results.map(({ computed }) => computed)).toEqual([names, names])
    },
    longest,
  )
})
