import { Cache, type CacheBackend } from '@cache/core'
import { MemoryBackend } from '@cache/memory'
import { onTestFinished } from 'vitest'
import { HttpCache, type HttpCacheOptions } from '../src/index.ts'

/** A clock that only the test moves. Timers fire when it passes their instant. */
export class TestClock {
  #now = Date.UTC(2026, 0, 1)
  readonly #timers = new Set<{ at: number; action: () => void }>()

  readonly now = (): number => this.#now

  readonly after = (ms: number, action: () => void): (() => void) => {
    const timer = { at: this.#now + ms, action }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#timers.size
  }

  advance(seconds: number): void {
    this.#now += seconds * 1000
    for (const timer of this.#timers) {
      if (timer.at > this.#now) continue
      this.#timers.delete(timer)
      timer.action()
    }
  }

  date(secondsAgo = 0): string {
    return new Date(this.#now - secondsAgo * 1000).toUTCString()
  }
}

export type Handler = (request: Request, count: number) => Response | Promise<Response>

export const url = 'https://shop.example/page'

/** A cache in front of an origin that the test programs. */
export class Rig {
  readonly clock: TestClock = new TestClock()
  /** The requests that the origin got. */
  readonly seen: Request[] = []
  readonly errors: unknown[] = []
  readonly cache: Cache
  readonly http: HttpCache
  /** Work that goes on behind the answers. */
  readonly #behind: Promise<unknown>[] = []
  handler: Handler

  constructor(handler: Handler, options: Partial<HttpCacheOptions> = {}, backend?: CacheBackend) {
    this.handler = handler
    const { clock } = this
    this.cache = new Cache({ backend: backend ?? new MemoryBackend({ maxEntries: 1000, clock }), clock })
    this.cache.on('error', () => {})
    this.http = new HttpCache({
      cache: this.cache,
      clock,
      waitUntil: (work) => this.#behind.push(work),
      onError: (error) => this.errors.push(error),
      ...options,
    })
    onTestFinished(() => this.cache.close())
  }

  readonly origin = async (request: Request): Promise<Response> => {
    this.seen.push(request)
    return this.handler(request, this.seen.length)
  }

  get(headers: Record<string, string> = {}, address: string = url): Promise<Response> {
    return this.http.fetch(new Request(address, { headers }), this.origin)
  }

  send(method: string, headers: Record<string, string> = {}, address: string = url): Promise<Response> {
    return this.http.fetch(new Request(address, { method, headers }), this.origin)
  }

  /** The text of the response, when everything behind it is done. */
  async text(headers: Record<string, string> = {}, address: string = url): Promise<string> {
    const text = await (await this.get(headers, address)).text()
    await this.settled()
    return text
  }

  async settled(): Promise<void> {
    while (this.#behind.length > 0) await this.#behind.shift()
  }
}

/** An origin whose pages count its requests. */
export function counted(headers: Record<string, string>, status = 200): Handler {
  return (_request, count) => new Response(`page ${count}`, { status, headers })
}

/** A gate that the test opens. */
export function gate(): { open: () => void; opened: Promise<void> } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}
