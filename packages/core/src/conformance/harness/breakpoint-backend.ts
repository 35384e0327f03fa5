import type { BackendEvent, BackendStats, CacheBackend } from '../../protocol/backend.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'

export type BreakpointMethod =
  | 'get'
  | 'set'
  | 'delete'
  | 'clear'
  | 'getMany'
  | 'setMany'
  | 'deleteMany'
  | 'compareAndSet'
  | 'increment'

interface Pending {
  readonly method: BreakpointMethod
  readonly before: boolean
  readonly reached: () => void
  readonly opened: Promise<void>
}

/** A breakpoint that stops one call. */
export interface Breakpoint {
  /** Resolves when a call is stopped there. */
  readonly reached: Promise<void>
  /** Lets the call continue. */
  open(): void
}

/**
 * A backend with breakpoints: a test can stop a call before it reaches the inner backend or before it returns, and can make
 * calls fail. It has no `sync`, so that every result is a promise and the test decides the order of the steps.
 */
export class BreakpointBackend implements CacheBackend {
  readonly name: string
  readonly inner: CacheBackend
  readonly calls: string[] = []
  /** Whether every method fails with `UNAVAILABLE`. */
  broken: boolean = false
  /** Methods that fail with `UNAVAILABLE`. */
  readonly failing: Set<BreakpointMethod> = new Set()
  readonly #pending: Pending[] = []

  constructor(inner: CacheBackend, name = 'breakpoints') {
    this.inner = inner
    this.name = name
  }

  /** Stops the next call of this method before it reaches the inner backend. */
  holdBefore(method: BreakpointMethod): Breakpoint {
    return this.#hold(method, true)
  }

  /** Stops the next call of this method after its work, before it returns. */
  holdAfter(method: BreakpointMethod): Breakpoint {
    return this.#hold(method, false)
  }

  get(key: string): Promise<Item | undefined> {
    return this.#call('get', key, () => this.inner.get(key))
  }

  set(item: Item): Promise<void> {
    return this.#call('set', item.key, () => this.inner.set(item))
  }

  delete(key: string): Promise<boolean> {
    return this.#call('delete', key, () => this.inner.delete(key))
  }

  clear(prefix?: string): Promise<void> {
    return this.#call('clear', prefix ?? '', () => this.inner.clear(prefix))
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#call('getMany', keys.join(), async () => (await this.inner.getMany?.(keys)) ?? [])
  }

  setMany(items: readonly Item[]): Promise<void> {
    return this.#call('setMany', items.map(({ key }) => key).join(), async () => this.inner.setMany?.(items))
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#call('deleteMany', keys.join(), async () => (await this.inner.deleteMany?.(keys)) ?? 0)
  }

  compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    return this.#call(
      'compareAndSet',
      key,
      async () => (await this.inner.compareAndSet?.(key, expected, next)) ?? false,
    )
  }

  increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    return this.#call('increment', key, async () => (await this.inner.increment?.(key, delta, expiresAt)) ?? 0)
  }

  async *keys(prefix?: string): AsyncIterable<string> {
    this.#check('get', 'keys')
    yield* this.inner.keys?.(prefix) ?? []
  }

  async stats(): Promise<BackendStats> {
    this.#check('get', 'stats')
    return (await this.inner.stats?.()) ?? {}
  }

  listen(listener: (event: BackendEvent) => void): () => void {
    return this.inner.listen?.(listener) ?? (() => {})
  }

  async close(): Promise<void> {
    this.calls.push('close')
    await this.inner.close?.()
  }

  async #call<Answer>(method: BreakpointMethod, argument: string, work: () => Promise<Answer>): Promise<Answer> {
    this.calls.push(`${method} ${argument}`)
    this.#check(method, method, argument)
    await this.#stop(method, true)
    const answer = await work()
    await this.#stop(method, false)
    return answer
  }

  #check(method: BreakpointMethod, shown: string, key?: string): void {
    if (!this.broken && !this.failing.has(method)) return
    throw new CacheError('UNAVAILABLE', `${shown}: the test broke ${this.name}`, {
      operation: shown,
      backend: this.name,
      key,
    })
  }

  #hold(method: BreakpointMethod, before: boolean): Breakpoint {
    let reach = (): void => {}
    let open = (): void => {}
    const reached = new Promise<void>((resolve) => {
      reach = resolve
    })
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    this.#pending.push({ method, before, reached: reach, opened })
    return { reached, open }
  }

  async #stop(method: BreakpointMethod, before: boolean): Promise<void> {
    const index = this.#pending.findIndex((one) => one.method === method && one.before === before)
    if (index < 0) return
    const [breakpoint] = this.#pending.splice(index, 1)
    breakpoint?.reached()
    await breakpoint?.opened
  }
}
