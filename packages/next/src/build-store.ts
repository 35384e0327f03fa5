import type { Store } from './store.ts'

const mostBytes = 50 * 1024 * 1024

/** The store during `next build`: results are shared by the pages of one process. The oldest make room for new ones. */
export class BuildStore implements Store {
  readonly #values = new Map<string, { readonly value: unknown; readonly size: number }>()
  #bytes = 0

  async get(key: string): Promise<unknown> {
    return this.#values.get(key)?.value
  }

  async getMany(keys: readonly string[]): Promise<unknown[]> {
    return keys.map((key) => this.#values.get(key)?.value)
  }

  async set(key: string, value: unknown, _lifetime: number, size: number): Promise<void> {
    this.#put(key, value, size)
  }

  async update(key: string, change: (current: unknown) => unknown): Promise<unknown> {
    const value = change(this.#values.get(key)?.value)
    this.#put(key, value, 0)
    return value
  }

  async close(): Promise<void> {
    this.#values.clear()
    this.#bytes = 0
  }

  #put(key: string, value: unknown, size: number): void {
    this.#remove(key)
    this.#values.set(key, { value, size })
    this.#bytes += size
    for (const [oldest, entry] of this.#values) {
      if (this.#bytes <= mostBytes) return
      // Invalidations have no size, and stay.
      if (entry.size > 0) this.#remove(oldest)
    }
  }

  #remove(key: string): void {
    this.#bytes -= this.#values.get(key)?.size ?? 0
    this.#values.delete(key)
  }
}
