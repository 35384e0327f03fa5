import type { Store } from '../directory/directory-handle.ts'

/** Items removed in one transaction. */
const step = 256
/** A file that no row names may belong to a write that is under way; after this long it does not. */
const orphanAge = 3_600_000
/** How long one transaction may cull, in milliseconds. */
const cullTime = 2
/** How often the value files are compared with the index. */
const sweepInterval = 3_600_000

/** What is done from time to time rather than with a write. Its timers keep no process alive. */
export class Janitor {
  readonly #store: Store
  #timers: NodeJS.Timeout[] = []
  #running: Promise<void> | undefined
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor(store: Store) {
    this.#store = store
  }

  start(): void {
    if (this.#timers.length > 0) return
    const { janitorInterval, syncInterval, durability } = this.#store.settings
    this.#every(janitorInterval, () => this.run())
    if (durability === 'normal') this.#every(syncInterval, () => this.#store.sync())
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
  }

  async idle(): Promise<void> {
    await this.#running
  }

  /** Removes what has expired, writes the touches, unlinks left over files. Rejects with nothing: failures are reported. */
  run(): Promise<void> {
    this.#running ??= this.#run()
      .catch((error: unknown) => this.#store.report(error, 'janitor'))
      .finally(() => {
        this.#running = undefined
      })
    return this.#running
  }

  /** Removes every expired item; resolves to how many values they were. */
  async removeExpired(): Promise<number> {
    const { queue, culler } = this.#store
    const before = culler.expired
    for (;;) {
      const due = await queue.write('removeExpired', undefined, (index, now) => culler.removeExpired(index, now, step))
      if (due < step) return culler.expired - before
    }
  }

  /** Removes what the policy gives up until the limits hold; resolves to how many items they were. */
  async cull(): Promise<number> {
    const { queue, culler } = this.#store
    await this.#store.countAnew()
    const before = culler.evictions
    while (
      !(await queue.write('cull', undefined, (index, now) => culler.cull(index, now, performance.now() + cullTime)))
    );
    return culler.evictions - before
  }

  /** Removes value files that no row names and that are older than an hour; resolves to how many. */
  async sweep(olderThan: number = orphanAge): Promise<number> {
    const { queue, values } = this.#store
    let removed = 0
    for await (const file of values.list()) {
      if (Date.now() - file.changedAt < olderThan) continue
      const { name } = file
      if (name !== undefined && (await queue.read('sweep', undefined, (index) => index.namesFile(name)))) continue
      await values.removeFound(file)
      removed += 1
    }
    return removed
  }

  async #run(): Promise<void> {
    await this.removeExpired()
    await this.#expireMessages()
    const { queue, touches } = this.#store
    if (touches.size > 0) await queue.write('touch', undefined, (index) => touches.apply(index, false))
    if (Date.now() - this.#sweptAt < sweepInterval) return
    this.#sweptAt = Date.now()
    await this.sweep()
  }

  /** Those of a queue that nobody pulls from would stay for ever. */
  async #expireMessages(): Promise<void> {
    const { queue } = this.#store
    let removed: number
    do {
      removed = await queue.write('removeExpired', undefined, (index, now) => index.removeExpiredMessages(now, step))
    } while (removed === step)
  }

  #every(interval: number, work: () => Promise<void>): void {
    // A longer interval than a timer can hold is as good as never.
    if (interval > 2 ** 31 - 1) return
    const timer = setInterval(() => {
      if (!this.#store.ready) return
      work().catch((error: unknown) => this.#store.report(error, 'janitor'))
    }, interval)
    timer.unref()
    this.#timers.push(timer)
  }
}
