import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Measurement } from '../harness/suite.ts'
import type { Contestant, OpenStore } from './contestant.ts'

/** A row: the operation, the size of the store, and the number of operations. */
export interface Scenario {
  readonly kind: 'get' | 'set' | 'sets at once' | 'getMany' | 'large' | 'mixed' | 'open' | 'bytes' | 'delay' | 'hold'
  /** Entries in the store before the measurement. */
  readonly entries: number
  readonly valueBytes: number
  readonly operations: number
}

const atOnce = 100

const alphabet = 'abcdefghijklmnopqrstuvwxyz'

/**
 * A text that contains its key and the number of its write. It differs from the text of another write in every
 * character, because SQLite writes no unchanged page.
 */
function textOf(key: string, stamp: number, bytes: number): string {
  const head = `${key}#${stamp}#`
  const turned = alphabet.slice(stamp % 26) + alphabet.slice(0, stamp % 26)
  return head + turned.repeat(Math.ceil(bytes / 26)).slice(0, Math.max(0, bytes - head.length))
}

/** Number of a write, so that every write of a measurement has another text. */
function stampOf(round: number, index: number): number {
  return round * 1_000_003 + index
}

function keyOf(index: number): string {
  return `user:${index}:profile`
}

/** Visits every index once, in an order without neighbours: 7,919 is prime and divides no number of entries used. */
function scattered(index: number, entries: number): number {
  return (index * 7919) % entries
}

/** Fills a new store, does the row's operations and checks every answer. The work is 1 when all were right. */
export async function measureScenario(scenario: Scenario, open: OpenStore): Promise<Measurement> {
  const folder = await mkdtemp(join(tmpdir(), 'cache-bench-file-'))
  try {
    const store = await open(join(folder, 'store'))
    await fill(store, scenario)
    switch (scenario.kind) {
      case 'open':
        await store.close()
        return await measureOpening(scenario, open, folder)
      case 'bytes':
        await store.close()
        return { value: (await bytesUnder(folder)) / scenario.entries, work: 1 }
      case 'delay':
      case 'hold': {
        const measurement = await measureDelay(scenario, store)
        await store.close()
        return measurement
      }
      default: {
        const measurement = await measureOperations(scenario, store)
        await store.close()
        return measurement
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function fill(store: Contestant, { entries, valueBytes }: Scenario): Promise<void> {
  for (let start = 0; start < entries; start += 1000) {
    const batch: [string, string][] = []
    for (let index = start; index < Math.min(entries, start + 1000); index += 1) {
      batch.push([keyOf(index), textOf(keyOf(index), 0, valueBytes)])
    }
    await setAll(store, batch)
  }
}

function setAll(store: Contestant, batch: readonly (readonly [string, string])[]): Promise<unknown> | unknown {
  return store.setMany ? store.setMany(batch) : Promise.all(batch.map(([key, value]) => store.set(key, value)))
}

/** Milliseconds until the first value is read. */
async function measureOpening(
  { entries, valueBytes }: Scenario,
  open: OpenStore,
  folder: string,
): Promise<Measurement> {
  const key = keyOf(entries >> 1)
  const start = performance.now()
  const store = await open(join(folder, 'store'))
  const found = await store.get(key)
  const value = performance.now() - start
  await store.close()
  return { value, work: found === textOf(key, 0, valueBytes) ? 1 : 0 }
}

/** The longest block of the event loop, in milliseconds, while large values were set and read one after the other. */
async function measureDelay(
  { kind, entries, valueBytes, operations }: Scenario,
  store: Contestant,
): Promise<Measurement> {
  // Created and flattened before the measurement, so that only the store is measured.
  const values = Array.from({ length: entries }, (_, n) => Buffer.alloc(valueBytes, 97 + n).toString('latin1'))
  const meter = kind === 'delay' ? byTheClock() : byTheProcessor()
  let right = 0
  for (let round = 0; round <= operations; round += 1) {
    // The first round is for the compiler.
    if (round === 1) meter.start()
    const key = keyOf(round % entries)
    const value = values[round % entries] as string
    await store.set(key, value)
    await breathe()
    if ((await store.get(key)) === value) right += 1
    await breathe()
  }
  return { value: meter.end(), work: right === operations + 1 ? 1 : 0 }
}

interface DelayMeter {
  start(): void
  /** The longest delay since `start`. */
  end(): number
}

function byTheClock(): DelayMeter {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  return {
    start: () => delay.enable(),
    end: () => {
      delay.disable()
      return delay.max / 1e6
    },
  }
}

/** Processor time of this thread between two turns. Other processes do not count. */
function byTheProcessor(): DelayMeter {
  let longest = 0
  let last: NodeJS.CpuUsage | undefined
  const look = (): void => {
    if (last === undefined) return
    const used = process.threadCpuUsage(last)
    longest = Math.max(longest, (used.user + used.system) / 1000)
    last = process.threadCpuUsage()
    setImmediate(look)
  }
  return {
    start: () => {
      last = process.threadCpuUsage()
      setImmediate(look)
    },
    end: () => {
      last = undefined
      return longest
    },
  }
}

function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2))
}

/** Operations per second by the wall clock. Threads and processes of a candidate count. */
async function measureOperations(scenario: Scenario, store: Contestant): Promise<Measurement> {
  const run = operationsOf(scenario)
  const half = Math.ceil(scenario.operations / 2)
  // The first runs are for the compiler.
  await run(store, half, 1)
  const start = performance.now()
  const right = await run(store, scenario.operations, 2)
  const seconds = (performance.now() - start) / 1000
  return { value: scenario.operations / seconds, work: right ? 1 : 0 }
}

type Run = (store: Contestant, operations: number, round: number) => Promise<boolean>

function operationsOf(scenario: Scenario): Run {
  const { entries, valueBytes } = scenario
  const stored = (key: string, round: number, index: number): string => textOf(key, stampOf(round, index), valueBytes)
  const holds = async (store: Contestant, operations: number, round: number): Promise<boolean> => {
    const last = keyOf(scattered(operations - 1, entries))
    return (await store.get(last)) === stored(last, round, operations - 1)
  }
  switch (scenario.kind) {
    case 'get':
      return async (store, operations) => {
        let right = 0
        for (let index = 0; index < operations; index += 1) {
          const key = keyOf(scattered(index, entries))
          const found = (await store.get(key)) as string | undefined
          if (found?.startsWith(`${key}#0#`)) right += 1
        }
        return right === operations
      }
    case 'getMany':
      return async (store, operations) => {
        let right = 0
        for (let index = 0; index < operations; index += atOnce) {
          const keys = Array.from({ length: atOnce }, (_, n) => keyOf(scattered(index + n, entries)))
          const found = await (store.getMany ? store.getMany(keys) : Promise.all(keys.map((key) => store.get(key))))
          for (const [n, value] of found.entries()) if ((value as string).startsWith(`${keys[n]}#0#`)) right += 1
        }
        return right === Math.ceil(operations / atOnce) * atOnce
      }
    case 'sets at once':
      return async (store, operations, round) => {
        for (let index = 0; index < operations; index += atOnce) {
          const sets: unknown[] = []
          for (let n = index; n < index + atOnce; n += 1) {
            const key = keyOf(scattered(n, entries))
            sets.push(store.set(key, stored(key, round, n)))
          }
          await Promise.all(sets)
        }
        return holds(store, Math.ceil(operations / atOnce) * atOnce, round)
      }
    case 'mixed':
      return async (store, operations, round) => {
        let found = 0
        for (let index = 0; index < operations; index += 1) {
          const key = keyOf(scattered(index, entries))
          if (index % 10 === 0) await store.set(key, stored(key, round, index))
          else if ((await store.get(key)) !== undefined) found += 1
        }
        return found === operations - Math.ceil(operations / 10)
      }
    default:
      return async (store, operations, round) => {
        for (let index = 0; index < operations; index += 1) {
          const key = keyOf(scattered(index, entries))
          await store.set(key, stored(key, round, index))
        }
        return holds(store, operations, round)
      }
  }
}

async function bytesUnder(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    // The allocated blocks instead of the lengths: a small file takes a block.
    bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512
  }
  return bytes
}
