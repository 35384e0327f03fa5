import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Server, type TcpProxy, tcpProxy } from '@cache/workspace'
import { createRandom } from '../../harness/random.ts'
import { type History, millisecond } from '../record/call.ts'
import { readLog } from '../record/read-log.ts'
import { causeFaults, type Slot } from './faults.ts'
import { type Address, freshDirectory, type Store, type StoreName, storeOf } from './stores.ts'
import type { Period } from './worker-order.ts'
import { WorkerProcess } from './worker-process.ts'

export interface SegmentOptions {
  readonly store: StoreName
  readonly seed: number
  readonly seconds: number
  readonly processes: number
  readonly show: (line: string) => void
}

export interface Segment {
  readonly history: History
  readonly faults: number
}

const clientsPerProcess = 5
/** The largest difference between a clock and the right one, in milliseconds. */
const mostSkew = 5000
/** The time without faults at the end, in milliseconds. */
const quiet = 800
const finishLimit = 15_000

/** Runs processes on one fresh store for some seconds, and resolves to all that they recorded. */
export async function runSegment(options: SegmentOptions): Promise<Segment> {
  const store = storeOf(options.store)
  await using run = await Run.open(options, store)
  return await run.run()
}

/** A run and all that has to be closed after it. */
class Run {
  readonly #options: SegmentOptions
  readonly #store: Store
  readonly #random: () => number
  readonly #logs: string
  readonly #names: string[] = []
  readonly #closing: (() => Promise<unknown>)[] = []
  readonly #workers: WorkerProcess[] = []
  readonly #slots: Slot[] = []
  #server: Server | undefined
  #url = ''
  #origin = 0n
  #period: Period = { begin: 0, end: 0 }

  static async open(options: SegmentOptions, store: Store): Promise<Run> {
    const logs = await mkdtemp(join(tmpdir(), 'cache-history-logs-'))
    const run = new Run(options, store, logs)
    run.#closing.push(() => rm(logs, { recursive: true, force: true }))
    return run
  }

  private constructor(options: SegmentOptions, store: Store, logs: string) {
    this.#options = options
    this.#store = store
    this.#logs = logs
    this.#random = createRandom(options.seed)
  }

  async run(): Promise<Segment> {
    const { seconds, processes, show } = this.#options
    await this.#start()
    this.#origin = process.hrtime.bigint()
    await Promise.all(Array.from({ length: processes }, (_, index) => this.#startSlot(index)))
    // Starting takes seconds on a busy machine, and the calls of all processes are to meet.
    const begin = this.#now()
    const end = begin + seconds * 1000 * millisecond
    this.#period = { begin, end }
    for (const worker of this.#workers) worker.begin(this.#period)
    const faults = await causeFaults(
      { slots: this.#slots, server: this.#server, random: this.#random },
      () => this.#now() >= end - quiet * millisecond,
      show,
      pause,
    )
    const limit = Math.max(0, (end - this.#now()) / millisecond) + finishLimit
    await Promise.all(this.#workers.map((worker) => worker.finish(limit)))
    const reader = await this.#startWorker('end', { url: this.#url, busUrl: this.#url }, 0, 0)
    reader.begin(this.#period)
    await reader.finish(finishLimit)
    return { history: await this.#read(), faults }
  }

  async #start(): Promise<void> {
    this.#server = await this.#store.start?.()
    if (this.#server === undefined) {
      const directory = await freshDirectory()
      this.#url = directory
      this.#closing.push(() => rm(directory, { recursive: true, force: true }))
    } else {
      const server = this.#server
      this.#url = server.url
      this.#closing.push(() => server.stop())
    }
    // The first use may create a table, which takes longer than a call may take later.
    const backend = this.#store.open({ url: this.#url, busUrl: this.#url })
    await backend.get('nothing')
    await backend.close?.()
  }

  async #startSlot(index: number): Promise<void> {
    // The first two clocks agree: rate limits are exact only then. Drawn before any wait, so that the seed decides it.
    const skew = this.#store.skews && index > 1 ? Math.round((this.#random() * 2 - 1) * mostSkew) : 0
    const links: TcpProxy[] = []
    if (this.#server !== undefined) links.push(await tcpProxy(this.#url))
    if (this.#store.hasBus) links.push(await tcpProxy(this.#url))
    this.#closing.push(() => Promise.all(links.map((link) => link.stop())))
    const url = links[0]?.url ?? this.#url
    const address = { url, busUrl: links[1]?.url ?? url }
    let count = 0
    const start = (): Promise<WorkerProcess> => {
      count += 1
      return this.#startWorker(`p${index}${count === 1 ? '' : `r${count}`}`, address, skew, clientsPerProcess)
    }
    let worker = await start()
    this.#slots.push({
      links,
      pause: () => worker.pause(),
      resume: () => worker.resume(),
      replace: async () => {
        await worker.kill()
        worker = await start()
        worker.begin(this.#period)
      },
    })
  }

  async #startWorker(name: string, address: Address, skew: number, clients: number): Promise<WorkerProcess> {
    const { store, seed } = this.#options
    this.#names.push(name)
    const worker = await WorkerProcess.start({
      process: name,
      store,
      address,
      // Each process has its own plan, and the one that replaces it another one.
      seed: seed * 100 + this.#names.length,
      skew,
      origin: String(this.#origin),
      log: join(this.#logs, name),
      clients,
    })
    this.#workers.push(worker)
    return worker
  }

  async #read(): Promise<History> {
    const all = await Promise.all(
      this.#names.map(async (name) => readLog(name, await readFile(join(this.#logs, name), 'utf8'))),
    )
    return { calls: all.flatMap(({ calls }) => calls), stalls: all.flatMap(({ stalls }) => stalls) }
  }

  #now(): number {
    return Number(process.hrtime.bigint() - this.#origin)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()))
    for (const close of this.#closing.reverse()) await close()
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
