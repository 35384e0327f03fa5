import type { WriterEntry } from '../../src/index.ts'

/** A database that can refuse a row, fail, and hold its answers. */
export class Database {
  readonly rows: Map<string, unknown> = new Map()
  readonly writes: string[][] = []
  failures: number = 0
  hold: Promise<void> | undefined
  /** A key that it refuses, and every batch with it. */
  refused: string | undefined

  async write(entries: readonly WriterEntry[]): Promise<void> {
    await this.hold
    this.#fail()
    if (entries.some(({ key }) => key === this.refused)) throw new Error('a row is refused')
    this.writes.push(entries.map(({ key }) => key))
    for (const { key, value } of entries) this.rows.set(key, value)
  }

  async delete(keys: readonly string[]): Promise<void> {
    this.#fail()
    for (const key of keys) this.rows.delete(key)
  }

  #fail(): void {
    if (this.failures === 0) return
    this.failures -= 1
    throw new Error('the database is down')
  }
}
