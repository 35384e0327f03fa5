import { Cache, type CacheBackend } from '@cache/core'
import { createRandom } from '../../harness/random.ts'
import { keysOf } from '../record/areas.ts'
import { millisecond } from '../record/call.ts'
import type { Recorder } from '../record/recorder.ts'
import { Client, type ClientOptions } from './client.ts'
import { Plan, type PlannedCall } from './plan.ts'
import { type Store, storeOf } from './stores.ts'
import type { Period, WorkerOrder } from './worker-order.ts'

/** Nanoseconds for which one set of keys is used. Short, so that the search for an order stays short. */
export const roundLength: number = 2000 * millisecond
const closeLimit = 3000
const stallCheck = 25

/** Runs the callers of one process until the end of the run, then closes the cache. */
export async function runClients(order: WorkerOrder, period: Period, recorder: Recorder): Promise<void> {
  const store = storeOf(order.store)
  const backend = store.open(order.address)
  const cache = new Cache({ backend, ttl: '1h', readFailure: 'reject', timeout: '5s' })
  const stopWatching = watchStalls(recorder)
  const namespaces = new Map<string, Cache>()
  const options: ClientOptions = {
    cache,
    recorder,
    round: () => Math.floor((recorder.now() - period.begin) / roundLength),
    isOver: () => recorder.now() >= period.end,
    pause,
  }
  if (order.clients === 0) await readAll(period, store, options, namespaces)
  const clients = Array.from({ length: order.clients }, (_, index) => {
    const families = store.families.filter((family) => family !== 'limit' || order.skew === 0)
    const plan = new Plan(`${order.process}-${index}`, families, createRandom(order.seed * 1000 + index))
    return new Client(options, namespaces).run(plan)
  })
  if (store.fills && order.clients > 0) clients.push(fill(backend, order, period, recorder))
  await Promise.all(clients)
  await Promise.race([cache.close().catch(() => {}), pause(closeLimit)])
  stopWatching()
}

/** Reads every key of every round, so that a lost write of any round shows. */
async function readAll(
  { begin, end }: Period,
  store: Store,
  options: ClientOptions,
  namespaces: Map<string, Cache>,
): Promise<void> {
  const rounds = Math.ceil((end - begin) / roundLength)
  for (let round = 0; round < rounds; round += 1) {
    const reads: PlannedCall[] = []
    for (const family of store.families) {
      if (family === 'lock' || family === 'limit') continue
      for (const key of keysOf[family]) {
        const request = family === 'count' ? ({ do: 'getNumber', key } as const) : ({ do: 'get', key } as const)
        reads.push({ family, request, pause: 0, work: 0, lease: false })
      }
    }
    const client = new Client({ ...options, round: () => round }, namespaces)
    for (const read of reads) await client.perform(read)
  }
}

/** Stores values that no check looks at, until the limit of the store evicts others. */
async function fill(backend: CacheBackend, order: WorkerOrder, { end }: Period, recorder: Recorder): Promise<void> {
  const value = 'x'.repeat(20_000)
  for (let count = 0; recorder.now() < end; count += 1) {
    const key = `fill ${order.process} ${count}`
    await backend.set({ key, value, version: key, createdAt: 0 }).catch(() => pause(50))
    await pause(8)
  }
}

/** Records the times in which the event loop was blocked or the process was stopped. */
function watchStalls(recorder: Recorder): () => void {
  let last = recorder.now()
  const timer = setInterval(() => {
    const now = recorder.now()
    const late = now - last - stallCheck * millisecond
    if (late > stallCheck * millisecond) recorder.stall(late)
    last = now
  }, stallCheck)
  return () => clearInterval(timer)
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
