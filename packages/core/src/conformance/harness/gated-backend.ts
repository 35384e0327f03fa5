import type { BackendEvent, BackendStats, CacheBackend } from '../../protocol/backend.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'

export type Gated =
  | 'get'
  | 'set'
  | 'delete'
  | 'clear'
  | 'getMany'
  | 'setMany'
  | 'deleteMany'
  | 'compareAndSet'
  | 'increment'

interface Gate {
  readonly operation: Gated
  readonly before: boolean
  readonly reached: () => void
  readonly opened: Promise<void>
}

/** A gate that one call stands at. */
export interface HeldCall {
  /** Resolves when a call stands there. */
  readonly reached: Promise<void>
  /** Lets it go on. */
  open(): void
}

/**
 * A backend that answers only with promises, whose calls a test may stop before the store is touched or before the answer
 * comes back, and which can be broken. Forwards to a store that answers at once, so that each step is the test's to order.
 */
export class GatedBackend implements CacheBackend {
  readonly name: string
  readonly inner: CacheBackend
  readonly calls: string[] = []
  broken: boolean = false
  /** Operations that fail though the store stands. */
  readonly failing: Set<Gated> = new Set()
  readonly #gates: Gate[] = []

  constructor(inner: CacheBackend, name = 'gated') {
    this.inner = inner
    this.name = name
  }

  /** The next call of this operation stops before it touches the store. */
  holdBefore(operation: Gated): HeldCall {
    return this.#hold(operation, true)
  }

  /** The next call of this operation does its work, and its answer is kept back. */
  holdAfter(operation: Gated): HeldCall {
    return this.#hold(operation, false)
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

  async #call<Answer>(operation: Gated, argument: string, work: () => Promise<Answer>): Promise<Answer> {
    this.calls.push(`${operation} ${argument}`)
    this.#check(operation, operation, argument)
    await this.#pass(operation, true)
    const answer = await work()
    await this.#pass(operation, false)
    return answer
  }

  #check(operation: Gated, shown: string, key?: string): void {
    if (!this.broken && !this.failing.has(operation)) return
    throw new CacheError('UNAVAILABLE', `${shown}: the test broke ${this.name}`, {
      operation: shown,
      backend: this.name,
      key,
    })
  }

  #hold(operation: Gated, before: boolean): HeldCall {
    let reach = (): void => {}
    let open = (): void => {}
    const reached = new Promise<void>((resolve) => {
      reach = resolve
    })
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    this.#gates.push({ operation, before, reached: reach, opened })
    return { reached, open }
  }

  async #pass(operation: Gated, before: boolean): Promise<void> {
    const index = this.#gates.findIndex((gate) => gate.operation === operation && gate.before === before)
    if (index < 0) return
    const [gate] = this.#gates.splice(index, 1)
    gate?.reached()
    await gate?.opened
  }
}
