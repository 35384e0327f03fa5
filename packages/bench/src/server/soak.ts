import { type CacheBackend, cacheErrorCode, createVersion, type Item } from '@cache/core/backend'
import { type Server, type TcpProxy, tcpProxy, waitUntil } from '@cache/workspace'
import { createRandom } from '../harness/random.ts'

export interface SoakReport {
  readonly operations: number
  readonly faults: number
  readonly errors: Readonly<Record<string, number>>
  /** Milliseconds. */
  readonly longest: number
  /** The limit for `longest`. */
  readonly bound: number
  readonly wrong: readonly string[]
}

/** The system under load: a server that keeps acknowledged writes, and a backend that reaches it through a proxy. */
export interface Soaked {
  start(): Promise<Server>
  open(url: string, timeout: number): SoakedBackend
}

type SoakedBackend = CacheBackend & Required<Pick<CacheBackend, 'compareAndSet' | 'close'>>

const timeout = 500
/** The tolerance for a timeout on a machine that starts servers and runs the load at once. */
const grace = 1500
const workers = 20
const keysPerWorker = 5

/** Runs the soak for `seconds` seconds. */
export async function soak(
  soaked: Soaked,
  seconds: number,
  seed: number,
  print: (line: string) => void,
): Promise<SoakReport> {
  const server = await soaked.start()
  const proxy = await tcpProxy(server.url)
  const backend = soaked.open(proxy.url, timeout)
  const run = new Soak(backend)
  try {
    // The first call may create a table, and has a longer time limit.
    await backend.get('nothing')
    print(`soak: ${seconds} s, seed ${seed}`)
    const end = performance.now() + seconds * 1000
    const load = Array.from({ length: workers }, (_, id) => run.work(id, createRandom(seed + id), end))
    const faults = await makeTrouble(server, proxy, createRandom(seed - 1), end, print)
    await Promise.all(load)
    await run.checkAtEnd()
    return { ...run.report(), faults, bound: timeout + grace }
  } finally {
    await backend.close()
    await proxy.stop()
    await server.stop()
  }
}

/** The possible values of a key, as far as the answers show. */
interface Book {
  /** The numbers that a reader may find; `undefined` is none. */
  readonly possible: Set<number | undefined>
  /** The values of calls without an answer: they may take effect late, after other calls. */
  readonly unanswered: Set<number | undefined>
  certain: number
  perhaps: number
}

class Soak {
  readonly #backend: SoakedBackend
  readonly #books = new Map<string, Book>()
  readonly #errors: Record<string, number> = {}
  readonly #wrong: string[] = []
  #operations = 0
  #failures = 0
  #longest = 0

  constructor(backend: SoakedBackend) {
    this.#backend = backend
  }

  report(): Pick<SoakReport, 'operations' | 'errors' | 'longest' | 'wrong'> {
    return {
      operations: this.#operations,
      errors: this.#errors,
      longest: Math.round(this.#longest),
      wrong: this.#wrong,
    }
  }

  /** Each worker has its own keys, so that it knows their possible values. */
  async work(id: number, random: () => number, end: number): Promise<void> {
    for (let round = 1; performance.now() < end; round += 1) {
      const key = `${id}:${Math.floor(random() * keysPerWorker)}`
      const choice = random()
      const failures = this.#failures
      if (choice < 0.35) await this.#read(key)
      else if (choice < 0.6) await this.#change(key, round, () => this.#backend.set(item(key, round)))
      else if (choice < 0.75) await this.#change(key, undefined, () => this.#backend.delete(key))
      else if (choice < 0.85) await this.#compareAndSet(key, round)
      else await this.#count(`count ${key}`)
      // Failures come at once while the server is down, and must not dominate the figures.
      if (this.#failures > failures) await pause(5)
    }
  }

  /** Reads every key once more after the last fault. */
  async checkAtEnd(): Promise<void> {
    await waitUntil('the backend to work again', async () => (await this.#backend.get('nothing')) === undefined)
    for (const [key, { certain, perhaps }] of this.#books) {
      if (!key.startsWith('count ')) {
        await this.#read(key)
        continue
      }
      const value = ((await this.#backend.get(key))?.value as number | undefined) ?? 0
      if (value < certain || value > certain + perhaps) {
        this.#wrong.push(`${key} is ${value}: ${certain} were acknowledged, ${perhaps} had no answer`)
      }
    }
  }

  #book(key: string): Book {
    let book = this.#books.get(key)
    if (book === undefined) {
      book = { possible: new Set([undefined]), unanswered: new Set(), certain: 0, perhaps: 0 }
      this.#books.set(key, book)
    }
    return book
  }

  /** The answer of a call, or `undefined` when it failed. */
  async #time<Value>(call: () => Promise<Value>): Promise<{ readonly value: Value } | undefined> {
    const start = performance.now()
    this.#operations += 1
    try {
      return { value: await call() }
    } catch (error) {
      const code = cacheErrorCode(error) ?? String(error)
      this.#errors[code] = (this.#errors[code] ?? 0) + 1
      this.#failures += 1
      return undefined
    } finally {
      this.#longest = Math.max(this.#longest, performance.now() - start)
    }
  }

  async #read(key: string): Promise<Item | undefined> {
    const answer = await this.#time(() => this.#backend.get(key))
    if (answer === undefined) return undefined
    const found = answer.value?.value as { key: string; value: number } | undefined
    const { possible } = this.#book(key)
    if (found !== undefined && found.key !== key) this.#wrong.push(`get ${key}: the value of ${found.key}`)
    else if (!possible.has(found?.value)) {
      this.#wrong.push(`get ${key}: ${found?.value}, possible are ${[...possible].join(', ')}`)
    }
    return answer.value
  }

  async #change(key: string, value: number | undefined, call: () => Promise<unknown>): Promise<void> {
    const book = this.#book(key)
    if ((await this.#time(call)) !== undefined) acknowledge(book, value)
    else leaveOpen(book, value)
  }

  async #compareAndSet(key: string, value: number): Promise<void> {
    const before = await this.#read(key)
    const answer = await this.#time(() => this.#backend.compareAndSet(key, before?.version, item(key, value)))
    if (answer === undefined) leaveOpen(this.#book(key), value)
    else if (answer.value) acknowledge(this.#book(key), value)
  }

  async #count(key: string): Promise<void> {
    const book = this.#book(key)
    const answer = await this.#time(async () => (await this.#backend.increment?.(key, 1)) as number)
    if (answer === undefined) book.perhaps += 1
    else {
      book.certain += 1
      const most = book.certain + book.perhaps
      if (answer.value > most) this.#wrong.push(`increment ${key}: ${answer.value}, at most ${most} were asked for`)
    }
  }
}

/** One value is possible now, besides those of calls with an unknown outcome. */
function acknowledge(book: Book, value: number | undefined): void {
  book.possible.clear()
  for (const open of book.unanswered) book.possible.add(open)
  book.possible.add(value)
}

function leaveOpen(book: Book, value: number | undefined): void {
  book.unanswered.add(value)
  book.possible.add(value)
}

function item(key: string, value: number): Item {
  return { key, value: { key, value }, version: createVersion(), createdAt: Date.now() }
}

/** Causes one fault after the other, each of random length, with pauses. Resolves to their number. */
async function makeTrouble(
  server: Server,
  proxy: TcpProxy,
  random: () => number,
  end: number,
  print: (line: string) => void,
): Promise<number> {
  const heal = (): void => proxy.heal()
  const faults: Readonly<Record<string, readonly [begin: () => unknown, end: () => unknown]>> = {
    'slow replies': [() => proxy.delay(20 + random() * 200), heal],
    'replies slower than the timeout': [() => proxy.delay(2 * timeout), heal],
    'swallowed replies': [() => proxy.swallowReplies(), heal],
    'cut connections': [() => proxy.cut(), heal],
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
    print(`${name} for ${Math.round(length)} ms`)
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
