import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  CacheError,
  type CacheErrorCode,
  type Item,
} from '@cache/core/backend'

interface Held {
  readonly operation: string
  readonly reached: () => void
  readonly opened: Promise<void>
}

/** A store in memory behind a network that a test may break: calls fail with a code, never answer, or stop until they are let go on. */
export class BreakableBackend implements CacheBackend {
  readonly name: string
  readonly inner: CacheBackend
  readonly calls: string[] = []
  /** What every call fails with, before it touches the store. */
  failure: CacheErrorCode | 'no CacheError' | undefined
  /** Calls do their work and then fail with it: their answer is lost. */
  lostAnswers: CacheErrorCode | undefined
  /** Operations that fail though the others work. */
  readonly failures: Set<string> = new Set()
  hangs = false
  readonly #held: Held[] = []

  constructor(inner: CacheBackend, name = 'breakable') {
    this.inner = inner
    this.name = name
  }

  /** The next call of this operation stops before it touches the store, until `open`. */
  hold(operation: string): { readonly reached: Promise<void>; open(): void } {
    let reach = (): void => {}
    let open = (): void => {}
    const reached = new Promise<void>((resolve) => {
      reach = resolve
    })
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    this.#held.push({ operation, reached: reach, opened })
    return { reached, open }
  }

  get(key: string): Promise<Item | undefined> {
    return this.#call(`get ${key}`, () => this.inner.get(key))
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#call(`getMany ${keys.join()}`, async () => (await this.inner.getMany?.(keys)) ?? [])
  }

  set(item: Item): Promise<void> {
    return this.#call(`set ${item.key}`, () => this.inner.set(item))
  }

  setMany(items: readonly Item[]): Promise<void> {
    return this.#call(`setMany ${items.map(({ key }) => key).join()}`, async () => this.inner.setMany?.(items))
  }

  delete(key: string): Promise<boolean> {
    return this.#call(`delete ${key}`, () => this.inner.delete(key))
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#call(`deleteMany ${keys.join()}`, async () => (await this.inner.deleteMany?.(keys)) ?? 0)
  }

  clear(prefix?: string): Promise<void> {
    return this.#call(`clear ${prefix ?? ''}`, () => this.inner.clear(prefix))
  }

  compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    return this.#call(
      `compareAndSet ${key}`,
      async () => (await this.inner.compareAndSet?.(key, expected, next)) ?? false,
    )
  }

  increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    return this.#call(`increment ${key}`, async () => (await this.inner.increment?.(key, delta, expiresAt)) ?? 0)
  }

  async *keys(prefix?: string): AsyncIterable<string> {
    await this.#call(`keys ${prefix ?? ''}`, async () => {})
    yield* this.inner.keys?.(prefix) ?? []
  }

  stats(): Promise<BackendStats> {
    return this.#call('stats', async () => (await this.inner.stats?.()) ?? {})
  }

  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    return this.inner.listen?.(listener, types) ?? (() => {})
  }

  async close(): Promise<void> {
    this.calls.push('close')
    await this.inner.close?.()
  }

  async #call<Answer>(call: string, work: () => Promise<Answer>): Promise<Answer> {
    this.calls.push(call)
    const operation = call.split(' ')[0] as string
    if (this.hangs) return new Promise(() => {})
    if (this.failure === 'no CacheError') throw new Error('the test broke the store')
    if (this.failures.has(operation)) throw this.#error('UNAVAILABLE', operation)
    if (this.failure !== undefined) throw this.#error(this.failure, operation)
    const index = this.#held.findIndex((held) => held.operation === operation)
    if (index >= 0) {
      const [held] = this.#held.splice(index, 1)
      held?.reached()
      await held?.opened
    }
    const answer = await work()
    if (this.lostAnswers !== undefined) throw this.#error(this.lostAnswers, operation)
    return answer
  }

  #error(code: CacheErrorCode, operation: string): CacheError {
    return new CacheError(code, `${operation}: the test broke the store`, { operation, backend: this.name })
  }
}
