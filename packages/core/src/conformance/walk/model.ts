import type { Item } from '../../protocol/item.ts'

/** A simple store that keeps the contract, for comparison with the backend under test. */
export class Model {
  readonly #now: () => number
  readonly #items = new Map<string, Item>()

  constructor(now: () => number) {
    this.#now = now
  }

  get(key: string): Item | undefined {
    const item = this.#items.get(key)
    return item && this.#lives(item) ? item : undefined
  }

  set(item: Item): void {
    if (this.#lives(item)) this.#items.set(item.key, item)
    else this.#items.delete(item.key)
  }

  delete(key: string): boolean {
    const value = this.get(key)?.value
    this.#items.delete(key)
    return value !== undefined
  }

  clear(prefix: string): void {
    for (const key of this.#items.keys()) if (key.startsWith(prefix)) this.#items.delete(key)
  }

  deleteMany(keys: readonly string[]): number {
    return keys.filter((key) => this.delete(key)).length
  }

  compareAndSet(key: string, expected: string | undefined, next: Item | undefined): boolean {
    if (this.get(key)?.version !== expected) return false
    if (next) this.set(next)
    else this.#items.delete(key)
    return true
  }

  /** The sum, or the code of the error. The store chooses the new version: see `adopt`. */
  increment(key: string, delta: number, expiresAt: number | undefined): number | 'NOT_A_NUMBER' {
    const found = this.get(key)
    const counter = found?.value === undefined ? undefined : found
    const before = counter ? counter.value : 0
    if (!Number.isInteger(before)) return 'NOT_A_NUMBER'
    const sum = (before as number) + delta
    const created = { key, createdAt: 0, ...(expiresAt === undefined ? {} : { expiresAt }) }
    this.set({ ...(counter ?? created), value: sum, version: '' })
    return sum
  }

  /** Copies the members of a counter that the store chooses: its version, and the instant of its creation. */
  adopt(key: string, version: string, createdAt: number, expiresAt: number | undefined): void {
    const item = this.#items.get(key)
    if (item === undefined) return
    const { expiresAt: _, ...rest } = item
    this.#items.set(key, { ...rest, version, createdAt, ...(expiresAt === undefined ? {} : { expiresAt }) })
  }

  keys(prefix: string): string[] {
    const live = [...this.#items.values()].filter((item) => item.value !== undefined && this.#lives(item))
    return live.map((item) => item.key).filter((key) => key.startsWith(prefix))
  }

  #lives(item: Item): boolean {
    return item.expiresAt === undefined || this.#now() < item.expiresAt
  }
}
