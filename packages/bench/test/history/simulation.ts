import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cache, type CacheBackend } from '@cache/core'
import { MemoryBackend } from '@cache/memory'
import { createRandom } from '../../src/harness/random.ts'
import type { Family } from '../../src/history/record/areas.ts'
import type { History } from '../../src/history/record/call.ts'
import { readLog } from '../../src/history/record/read-log.ts'
import { Recorder } from '../../src/history/record/recorder.ts'
import { Client } from '../../src/history/run/client.ts'
import { Plan } from '../../src/history/run/plan.ts'

/** A store of its own for each handle would be none: all handles share `items`. */
export type SharedBackend = CacheBackend & Required<Pick<CacheBackend, 'compareAndSet' | 'increment'>>

/** One handle on a shared store. Each call takes some turns of the event loop, before its effect and after it. */
export function slowHandle(items: MemoryBackend, random: () => number): SharedBackend {
  const { sync } = items
  const slowly = async <Result>(effect: () => Result): Promise<Result> => {
    await turns(random)
    const result = effect()
    await turns(random)
    return result
  }
  return {
    name: 'simulated',
    get: (key) => slowly(() => sync.get(key)),
    set: (item) => slowly(() => sync.set(item)),
    delete: (key) => slowly(() => sync.delete(key)),
    clear: (prefix) => slowly(() => sync.clear(prefix)),
    compareAndSet: (key, expected, next) => slowly(() => sync.compareAndSet(key, expected, next)),
    increment: (key, delta, expiresAt) => slowly(() => sync.increment(key, delta, expiresAt)),
  }
}

async function turns(random: () => number): Promise<void> {
  for (let left = Math.floor(random() * 4); left > 0; left -= 1) await turn()
}

async function turn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Replaces methods of a handle. */
export type Breakage = (handle: SharedBackend) => Partial<SharedBackend>

const callsPerClient = 250
const clients = 3

/** The history of two caches on handles of one store, broken in some way, without any process or server. */
export async function simulate(families: readonly Family[], seed: number, breakage: Breakage): Promise<History> {
  const folder = await mkdtemp(join(tmpdir(), 'cache-history-test-'))
  try {
    const items = new MemoryBackend({ maxEntries: 10_000 })
    const origin = process.hrtime.bigint()
    const names = ['p0', 'p1']
    await Promise.all(
      names.map((name, index) =>
        runProcess(name, families, seed * 100 + index, breakage, items, join(folder, name), origin),
      ),
    )
    const logs = await Promise.all(names.map(async (name) => readLog(name, await readFile(join(folder, name), 'utf8'))))
    return { calls: logs.flatMap(({ calls }) => calls), stalls: [] }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function runProcess(
  name: string,
  families: readonly Family[],
  seed: number,
  breakage: Breakage,
  items: MemoryBackend,
  log: string,
  origin: bigint,
): Promise<void> {
  const random = createRandom(seed)
  const handle = slowHandle(items, random)
  const cache = new Cache({ backend: { ...handle, ...breakage(handle) }, ttl: '1h', readFailure: 'reject' })
  const recorder = new Recorder(name, log, origin)
  const namespaces = new Map<string, Cache>()
  await Promise.all(
    Array.from({ length: clients }, (_, index) => {
      let left = callsPerClient
      const plan = new Plan(`${name}-${index}`, families, createRandom(seed * 10 + index))
      const client = new Client({ cache, recorder, round: () => 0, isOver: () => left <= 0, pause: turn }, namespaces)
      return client.run({
        next: () => {
          left -= 1
          return plan.next()
        },
      })
    }),
  )
  await cache.close()
}

/** Whether the key is a record of the cache of this kind: `#` tags, `!` locks, `~` rate limits. */
export function isRecord(key: string, kind: string): boolean {
  return key.startsWith(`@${kind}`)
}
