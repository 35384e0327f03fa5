import { cacheErrorCode, createVersion, type Item } from '@cache/core/backend'
import { RedisBackend } from '@cache/redis'
import { type RedisServer, startRedis, type TcpProxy, tcpProxy, waitUntil } from '@cache/testing'
import { Redis } from 'ioredis'

export interface SoakReport {
  readonly operations: number
  readonly faults: number
  readonly errors: Readonly<Record<string, number>>
  /** Milliseconds. */
  readonly longest: number
  /** What `longest` may be. */
  readonly bound: number
  readonly wrong: string[]
}

const timeout = 500
/** What the machine may add to a timeout: it starts servers and runs the load at once. */
const grace = 1500
const workers = 20
const keysPerWorker = 5

/** Numbers from 0 up to 1 that the seed decides (mulberry32, by Tommy Ettinger). */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Runs for so many seconds. The server keeps everything that it acknowledged (append-only file, synced at each write). */
export async function soak(seconds: number, seed: number, tell: (line: string) => void): Promise<SoakReport> {
  const server = await startRedis({ config: { appendonly: 'yes', appendfsync: 'always' } })
  const proxy = await tcpProxy(server.url)
  const backend = new RedisBackend({ url: proxy.url, timeout, connectTimeout: timeout })
  const books = new Books()
  try {
    tell(`soak: ${seconds} s, seed ${seed}`)
    const end = performance.now() + seconds * 1000
    const load = Array.from({ length: workers }, (_, worker) =>
      work(backend, books, worker, createRandom(seed + worker), end),
    )
    const faults = await makeTrouble(server, proxy, createRandom(seed - 1), end, tell)
    await Promise.all(load)
    await waitUntil('the backend to work again', async () => (await backend.get('nothing')) === undefined)
    await checkCounters(server, books)
    return { ...books.report(), faults, longest: Math.round(books.longest), bound: timeout + grace }
  } finally {
    await backend.close()
    await proxy.stop()
    await server.stop()
  }
}

/** What may be stored, as far as the answers tell. */
class Books {
  operations = 0
  longest = 0
  readonly wrong: string[] = []
  readonly #errors: Record<string, number> = {}
  readonly #seen = new Map<number, number>()
  #failures = 0
  /** By key: the numbers that a reader may find. `undefined` is none. */
  readonly #possible = new Map<string, Set<number | undefined>>()
  /** By key: how often it was counted for certain, and how often perhaps. */
  readonly counted = new Map<string, { certain: number; perhaps: number }>()

  possible(key: string): Set<number | undefined> {
    let set = this.#possible.get(key)
    if (set === undefined) {
      set = new Set([undefined])
      this.#possible.set(key, set)
    }
    return set
  }

  /** The outcome of a call, with its code when it failed. */
  async time<Value>(call: () => Promise<Value>): Promise<{ value: Value } | { code: string }> {
    const start = performance.now()
    this.operations += 1
    try {
      return { value: await call() }
    } catch (error) {
      const code = cacheErrorCode(error) ?? String(error)
      this.#errors[code] = (this.#errors[code] ?? 0) + 1
      this.#failures += 1
      return { code }
    } finally {
      this.longest = Math.max(this.longest, performance.now() - start)
    }
  }

  /** Whether anything failed since this worker asked last. */
  failed(worker: number): boolean {
    const before = this.#seen.get(worker) ?? 0
    this.#seen.set(worker, this.#failures)
    return this.#failures > before
  }

  report(): Pick<SoakReport, 'operations' | 'errors' | 'wrong'> {
    return { operations: this.operations, errors: this.#errors, wrong: this.wrong }
  }
}

/** Each worker has keys of its own, so that it knows what may be in them. */
async function work(
  backend: RedisBackend,
  books: Books,
  worker: number,
  random: () => number,
  end: number,
): Promise<void> {
  for (let round = 1; performance.now() < end; round++) {
    const key = `${worker}:${Math.floor(random() * keysPerWorker)}`
    const choice = random()
    if (choice < 0.35) await read(backend, books, key)
    else if (choice < 0.6) await write(backend, books, key, round)
    else if (choice < 0.75) await remove(backend, books, key)
    else if (choice < 0.85) await swap(backend, books, key, round)
    else await count(backend, books, `count ${key}`)
    // Failures come at once while the server is away: the figures should not be made of them.
    if (books.failed(worker)) await pause(5)
  }
}

function item(key: string, value: number): Item {
  return { key, value: { key, value }, version: createVersion(), createdAt: Date.now() }
}

async function read(backend: RedisBackend, books: Books, key: string): Promise<Item | undefined> {
  const outcome = await books.time(() => backend.get(key))
  if (!('value' in outcome)) return undefined
  const found = outcome.value?.value as { key: string; value: number } | undefined
  const possible = books.possible(key)
  if (found !== undefined && found.key !== key) books.wrong.push(`get ${key}: the value of ${found.key}`)
  else if (!possible.has(found?.value)) books.wrong.push(`get ${key}: ${found?.value}, possible are ${[...possible]}`)
  return outcome.value
}

/** After an acknowledgement one value is possible, besides those of calls whose outcome nobody knows. */
function acknowledged(books: Books, key: string, value: number | undefined): void {
  const possible = books.possible(key)
  for (const known of possible) if (!unknown.has(`${key} ${known}`)) possible.delete(known)
  possible.add(value)
}

/** Values of calls without an answer: they may yet arrive, also after later ones. */
const unknown = new Set<string>()

function unanswered(books: Books, key: string, value: number | undefined): void {
  books.possible(key).add(value)
  unknown.add(`${key} ${value}`)
}

async function write(backend: RedisBackend, books: Books, key: string, value: number): Promise<void> {
  const outcome = await books.time(() => backend.set(item(key, value)))
  if ('value' in outcome) acknowledged(books, key, value)
  else unanswered(books, key, value)
}

async function remove(backend: RedisBackend, books: Books, key: string): Promise<void> {
  const outcome = await books.time(() => backend.delete(key))
  if ('value' in outcome) acknowledged(books, key, undefined)
  else unanswered(books, key, undefined)
}

async function swap(backend: RedisBackend, books: Books, key: string, value: number): Promise<void> {
  const before = await read(backend, books, key)
  const outcome = await books.time(() => backend.swap(key, before?.version, item(key, value)))
  if (!('value' in outcome)) unanswered(books, key, value)
  else if (outcome.value) acknowledged(books, key, value)
}

async function count(backend: RedisBackend, books: Books, key: string): Promise<void> {
  const outcome = await books.time(() => backend.increment?.(key, 1) ?? Promise.reject(new Error('no increment')))
  const counted = books.counted.get(key) ?? { certain: 0, perhaps: 0 }
  if ('value' in outcome) {
    counted.certain += 1
    if (outcome.value > counted.certain + counted.perhaps) {
      books.wrong.push(
        `increment ${key}: ${outcome.value}, at most ${counted.certain + counted.perhaps} were asked for`,
      )
    }
  } else counted.perhaps += 1
  books.counted.set(key, counted)
}

async function checkCounters(server: RedisServer, books: Books): Promise<void> {
  const redis = new Redis(server.url)
  for (const [key, { certain, perhaps }] of books.counted) {
    const value = Number((await redis.get(`cache:${key}`)) ?? 0)
    if (value < certain || value > certain + perhaps) {
      books.wrong.push(`${key} is ${value}: ${certain} were acknowledged, ${perhaps} had no answer`)
    }
  }
  redis.disconnect()
}

/** One fault after the other, each of random length, with quiet between. Resolves to how many there were. */
async function makeTrouble(
  server: RedisServer,
  proxy: TcpProxy,
  random: () => number,
  end: number,
  tell: (line: string) => void,
): Promise<number> {
  const faults: Readonly<Record<string, readonly [begin: () => unknown, end: () => unknown]>> = {
    'slow replies': [() => proxy.delay(20 + random() * 200), () => proxy.heal()],
    'replies slower than the timeout': [() => proxy.delay(2 * timeout), () => proxy.heal()],
    'swallowed replies': [() => proxy.swallowReplies(), () => proxy.heal()],
    'cut connections': [() => proxy.cut(), () => proxy.heal()],
    'dropped connections': [() => proxy.drop(), () => {}],
    'a frozen server': [() => server.freeze(), () => server.thaw()],
    'a killed server': [() => server.kill(), () => server.restart()],
    'a restarted server': [() => server.restart(), () => {}],
  }
  const names = Object.keys(faults)
  let count = 0
  while (performance.now() < end) {
    await pause(200 + random() * 800)
    const name = names[Math.floor(random() * names.length)] as string
    const [begin, finish] = faults[name] as (typeof faults)[string]
    const length = 50 + random() * 1500
    tell(`${name} for ${Math.round(length)} ms`)
    await begin()
    await pause(length)
    await finish()
    count += 1
  }
  return count
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
