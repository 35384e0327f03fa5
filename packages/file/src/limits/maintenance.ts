import type { CallQueue } from '../calls/call-queue.ts'
import type { EventLoopBudget } from '../calls/event-loop-budget.ts'
import type { Settings } from '../options.ts'
import type { ValueFiles } from '../values/value-files.ts'
import type { AccessLog } from './access-log.ts'
import type { Evictor } from './evictor.ts'

/** The part of an open directory that the maintenance needs. */
export interface MaintenanceHost {
  readonly settings: Pick<Settings, 'maintenanceInterval' | 'syncInterval' | 'durability'>
  readonly queue: CallQueue
  readonly values: ValueFiles
  /** Whether an index is open, current and writable. Background work must not create a removed directory again. */
  readonly isUsable: boolean
  sync(): Promise<void>
  recountIfNeeded(): Promise<void>
  report(error: unknown, method: string): void
}

/** Items that one transaction removes. */
const itemsPerStep = 256
/** A younger file without a row may belong to a write in progress. */
const orphanAge = 3_600_000
/** The time between two comparisons of the value files with the index. */
const orphanInterval = 3_600_000
/** The longest delay of one timer. */
const longestDelay = 2 ** 31 - 1

/** The regular work beside the calls. Its timers keep no process alive. */
export class Maintenance {
  readonly #host: MaintenanceHost
  readonly #evictor: Evictor
  readonly #accessLog: AccessLog
  readonly #budget: EventLoopBudget
  #timers: NodeJS.Timeout[] = []
  #isStopped = false
  #running: Promise<void> | undefined
  #orphansRemovedAt = Number.NEGATIVE_INFINITY

  constructor(host: MaintenanceHost, evictor: Evictor, accessLog: AccessLog, budget: EventLoopBudget) {
    this.#host = host
    this.#evictor = evictor
    this.#accessLog = accessLog
    this.#budget = budget
  }

  /** Starts the timers. Does nothing when they run or after `stop`. */
  start(): void {
    if (this.#timers.length > 0 || this.#isStopped) return
    const { maintenanceInterval, syncInterval, durability } = this.#host.settings
    this.#repeat(maintenanceInterval, () => this.run())
    if (durability === 'normal') this.#repeat(syncInterval, () => this.#host.sync())
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
  }

  async idle(): Promise<void> {
    await this.#running
  }

  /**
   * Removes expired items and messages, writes the access log, removes orphaned files. It never rejects: failures are
   * reported.
   */
  run(): Promise<void> {
    this.#running ??= this.#run()
      .catch((error: unknown) => this.#host.report(error, 'maintenance'))
      .finally(() => {
        this.#running = undefined
      })
    return this.#running
  }

  /** Removes every expired item; resolves to the number of removed values. */
  async removeExpired(): Promise<number> {
    const before = this.#evictor.expired
    for (;;) {
      const due = await this.#host.queue.remove('removeExpired', undefined, (index, now) =>
        this.#evictor.removeExpired(index, now, itemsPerStep),
      )
      if (due < itemsPerStep) return this.#evictor.expired - before
    }
  }

  /** Evicts items until the limits hold; resolves to the number of evicted items. */
  async evictToLimits(): Promise<number> {
    await this.#host.recountIfNeeded()
    const before = this.#evictor.evictions
    for (;;) {
      const isWithin = await this.#host.queue.remove('evictToLimits', undefined, (index, now) =>
        this.#evictor.evictToLimits(index, now, this.#budget.deadline()),
      )
      if (isWithin) return this.#evictor.evictions - before
    }
  }

  /** Removes value files without a row that have not changed for an hour. */
  async #removeOrphans(): Promise<void> {
    const { queue, values } = this.#host
    for await (const file of values.list()) {
      if (Date.now() - file.changedAt < orphanAge) continue
      const { name } = file
      const method = 'removeOrphans'
      if (name !== undefined && (await queue.read(method, undefined, (index) => index.namesFile(name)))) continue
      await values.removeFound(file)
    }
  }

  async #run(): Promise<void> {
    await this.removeExpired()
    await this.#removeExpiredMessages()
    if (this.#accessLog.size > 0) {
      await this.#host.queue.write('noteRead', undefined, (index) => this.#accessLog.write(index, false))
    }
    if (Date.now() - this.#orphansRemovedAt < orphanInterval) return
    this.#orphansRemovedAt = Date.now()
    await this.#removeOrphans()
  }

  /** Also covers queues from which no caller pulls. */
  async #removeExpiredMessages(): Promise<void> {
    let removed: number
    do {
      removed = await this.#host.queue.remove('removeExpired', undefined, (index, now) =>
        index.removeExpiredMessages(now, itemsPerStep),
      )
    } while (removed === itemsPerStep)
  }

  #repeat(interval: number, work: () => Promise<void>): void {
    // A timer cannot wait for longer, so such an interval means never.
    if (interval > longestDelay) return
    const timer = setInterval(() => {
      if (!this.#host.isUsable) return
      work().catch((error: unknown) => this.#host.report(error, 'maintenance'))
    }, interval)
    timer.unref()
    this.#timers.push(timer)
  }
}
