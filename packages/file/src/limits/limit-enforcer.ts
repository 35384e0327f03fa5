import type { Inspection } from '../background/index-task.ts'
import type { CallQueue } from '../calls/call-queue.ts'
import type { ItemIndex } from '../index/item-index.ts'
import type { AccessLog } from './access-log.ts'
import type { Evictor } from './evictor.ts'

/** The part of an open directory that the enforcer needs. */
export interface LimitHost {
  readonly queue: CallQueue
  readonly isReadOnly: boolean
  readonly isClosed: boolean
  inspect(inspection: Inspection): Promise<unknown>
  report(error: unknown, method: string): void
}

/** Calls after which a write looks for expired items to remove. */
const callsPerExpiry = 16

/** Keeps the limits inside every write transaction, and continues in later transactions after a long one. */
export class LimitEnforcer {
  readonly #host: LimitHost
  readonly #evictor: Evictor
  readonly #accessLog: AccessLog
  #callsSinceExpiry = 0
  #recounting: Promise<void> | undefined
  #isWritingAccesses = false
  /** Whether the last transaction left value files to unlink. */
  hasTrash = false

  constructor(host: LimitHost, evictor: Evictor, accessLog: AccessLog) {
    this.#host = host
    this.#evictor = evictor
    this.#accessLog = accessLog
  }

  beforeCommit(index: ItemIndex, now: number, calls: number, deadline: number): void {
    this.#accessLog.write(index, false)
    this.#callsSinceExpiry += calls
    if (this.#callsSinceExpiry >= callsPerExpiry) {
      // Twice the number of items that can have been added, so that expired items become fewer under load too.
      this.#evictor.removeExpired(index, now, 2 * this.#callsSinceExpiry)
      this.#callsSinceExpiry = 0
    }
    const totals = index.totals()
    this.hasTrash = totals.trash > 0
    if (!this.#evictor.isOver(totals)) return
    if (this.#evictor.needsRecount(index)) this.#recountThenEvict()
    else if (!this.#evictor.evictToLimits(index, now, deadline)) this.#scheduleEviction()
  }

  committed(): void {
    this.#evictor.committed()
    this.#accessLog.committed()
  }

  rolledBack(): void {
    this.#evictor.rolledBack()
    this.#accessLog.rolledBack()
  }

  /** Notes a read for the policy. */
  noteRead(id: number, now: number): void {
    this.#accessLog.add(id, now)
    if (!this.#accessLog.isFull || this.#isWritingAccesses || this.#host.isReadOnly) return
    this.#isWritingAccesses = true
    this.#host.queue
      .write('noteRead', undefined, (index) => this.#accessLog.write(index, false))
      .catch(() => undefined)
      .finally(() => {
        this.#isWritingAccesses = false
      })
  }

  /** Counts implausible totals again, so that no item is evicted because of them. */
  async recountIfNeeded(): Promise<void> {
    const isNeeded = await this.#host.queue.read('evictToLimits', undefined, (index) =>
      this.#evictor.needsRecount(index),
    )
    if (isNeeded) await this.#recount()
  }

  #recountThenEvict(): void {
    this.#recount().then(
      () => this.#scheduleEviction(),
      (error: unknown) => this.#host.report(error, 'evictToLimits'),
    )
  }

  #recount(): Promise<void> {
    this.#recounting ??= this.#host
      .inspect({ kind: 'totals', fix: true })
      .then(() => this.#evictor.recounted())
      .finally(() => {
        this.#recounting = undefined
      })
    return this.#recounting
  }

  #scheduleEviction(): void {
    // The call writes nothing itself: `beforeCommit` continues the eviction.
    setImmediate(() => {
      if (!this.#host.isClosed)
        this.#host.queue.remove('evictToLimits', undefined, () => undefined).catch(() => undefined)
    })
  }
}
