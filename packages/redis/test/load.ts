import { cacheErrorCode } from '@cache/core/backend'
import type { RedisBackend } from '../src/index.ts'
import { item } from './expect-to-serve.ts'

/** Writes and reads until it is stopped, and remembers the acknowledged writes. */
export class Load {
  readonly written: Map<string, number> = new Map()
  readonly errors: Map<string, number> = new Map()
  longest = 0
  wrong = 0
  #stopped = false
  readonly #workers: Promise<void>[]

  constructor(backend: RedisBackend, workers: number) {
    this.#workers = Array.from({ length: workers }, (_, worker) => this.#work(backend, worker))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#workers)
  }

  async #work(backend: RedisBackend, worker: number): Promise<void> {
    for (let round = 1; !this.#stopped; round++) {
      const key = `load ${worker}:${round % 50}`
      await this.#timed(async () => {
        await backend.set(item(key, { worker, round }, `${worker}-${round}`))
        this.written.set(key, round)
      })
      await this.#timed(async () => {
        const found = await backend.get(key)
        if (found !== undefined && (found.value as { worker: number }).worker !== worker) this.wrong += 1
      })
    }
  }

  async #timed(call: () => Promise<void>): Promise<void> {
    const start = performance.now()
    try {
      await call()
    } catch (error) {
      const code = cacheErrorCode(error) ?? String(error)
      this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
      // A failure may be immediate. The loop must leave time for the rest of this process.
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.longest = Math.max(this.longest, performance.now() - start)
  }
}
