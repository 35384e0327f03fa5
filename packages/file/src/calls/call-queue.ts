import { CacheError, cacheErrorCode } from '@cache/core/backend'
import { type FailureKind, failureKind, fileError } from '../errors.ts'
import type { ItemIndex } from '../index/item-index.ts'
import type { EventLoopBudget } from './event-loop-budget.ts'
import { ImmediateReads, type ReadHost } from './immediate-reads.ts'
import { PendingCalls } from './pending-calls.ts'
import { type CallKeys, QueuedCall, type Work } from './queued-call.ts'
import { tryToEnd } from './try-to-end.ts'

/** The part of an open directory that the queue needs. */
export interface QueueHost extends ReadHost {
  now(): number
  /** Opens the index unless it is open. */
  open(): Promise<ItemIndex>
  /** The error of every write while the directory is read-only. */
  readonly refusal: CacheError | undefined
  /** Drops an index that failed. `corrupt` asks for its replacement; every other kind asks for opening it again. */
  indexFailed(kind: FailureKind, error: unknown): void
  /** Runs inside the transaction after the calls: limits, expired items, the access log. */
  beforeCommit(index: ItemIndex, now: number, calls: number, deadline: number): void
  /** Runs after the commit. The callers get their results when the returned promise resolves. */
  afterCommit(calls: number): Promise<void> | undefined
  rolledBack(): void
  /**
   * Makes space on a full disk. With `isRemoval`, it may use the space that is reserved for removals. Resolves to
   * whether another attempt can succeed.
   */
  makeSpace(isRemoval: boolean): Promise<boolean>
}

/** From this number of reads on, a transaction around them is cheaper than their own locks. */
const readsWorthTransaction = 4
/** Attempts of one call on a full disk. */
const maxFullAttempts = 4

/**
 * Runs calls in their order. The calls of one tick share one transaction, which makes writes cheap. A batch that takes
 * too long is committed, and the next batch continues. While another process writes, the queue tries again without
 * blocking. Reads that depend on no waiting write run meanwhile.
 */
export class CallQueue {
  readonly #host: QueueHost
  readonly #lockTimeout: number
  readonly #pending = new PendingCalls()
  readonly #budget: EventLoopBudget
  readonly #immediateReads: ImmediateReads
  #scheduled = false
  #running = false
  #lockedRounds = 0
  #retry: NodeJS.Timeout | undefined
  #paused = false
  #isMakingSpace = false
  #idle: (() => void)[] = []
  #undelivered = 0

  constructor(host: QueueHost, lockTimeout: number, budget: EventLoopBudget) {
    this.#host = host
    this.#lockTimeout = lockTimeout
    this.#budget = budget
    this.#immediateReads = new ImmediateReads(host, budget)
  }

  read<Value>(method: string, keys: CallKeys, work: Work<Value>): Promise<Value> {
    const index = this.#indexForImmediateRead()
    if (index === undefined) return this.#add(new QueuedCall(method, keys, 'read', work))
    try {
      return Promise.resolve(work(index, this.#host.now()))
    } catch (error) {
      if (cacheErrorCode(error) !== undefined)
        return Promise.reject(fileError(error, method, typeof keys === 'string' ? keys : undefined))
      // The queue handles failures of the index.
      return this.#add(new QueuedCall(method, keys, 'read', work))
    }
  }

  write<Value>(method: string, keys: CallKeys, work: Work<Value>): Promise<Value> {
    return this.#add(new QueuedCall(method, keys, 'write', work))
  }

  /** A write that removes data. On a full disk, it may use the space that is reserved for removals. */
  remove<Value>(method: string, keys: CallKeys, work: Work<Value>): Promise<Value> {
    return this.#add(new QueuedCall(method, keys, 'removal', work))
  }

  /** Holds writes back, so that another thread can take the write lock. Reads continue. */
  pauseWrites(): void {
    this.#paused = true
  }

  resumeWrites(): void {
    this.#paused = false
    if (this.#pending.count > 0) this.#schedule()
  }

  get #writesBlocked(): boolean {
    return this.#paused || this.#isMakingSpace || this.#retry !== undefined
  }

  /** Resolves when no call waits or runs. */
  async idle(): Promise<void> {
    while (this.#pending.count > 0 || this.#undelivered > 0 || this.#running) {
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
  }

  /** The index when a read may run immediately: it must not overtake a waiting call. */
  #indexForImmediateRead(): ItemIndex | undefined {
    return this.#pending.count > 0 || this.#running ? undefined : this.#immediateReads.next()
  }

  #add<Value>(call: QueuedCall<Value>): Promise<Value> {
    this.#pending.add(call as QueuedCall)
    this.#schedule()
    return call.promise
  }

  #schedule(): void {
    if (this.#scheduled || this.#running) return
    // Another process writes, and every waiting call is a write. Reads would not need to wait.
    if (this.#writesBlocked && this.#pending.haveOnlyWrites) return
    this.#scheduled = true
    // After a spent budget, timers and sockets run first. Otherwise a loop of awaited calls would starve them.
    if (this.#budget.isSpent) setImmediate(this.#tick)
    // Runs after all promise callbacks of this tick, so that callers several awaits apart share one transaction.
    else process.nextTick(this.#tick)
  }

  readonly #tick = (): void => {
    this.#scheduled = false
    if (!this.#running && this.#pending.count > 0) this.#runBatch()
    this.#wakeIdle()
  }

  #runBatch(): void {
    this.#immediateReads.endTick()
    let index: ItemIndex | undefined
    try {
      index = this.#host.currentIndex(this.#budget.start())
    } catch (error) {
      this.#rejectAll(error)
      return
    }
    if (index === undefined) {
      this.#openIndex()
      return
    }
    if (this.#pending.writeCount > 0 && this.#host.refusal !== undefined) this.#refuseWrites(this.#host.refusal)
    if (this.#pending.writeCount > 0) this.#writeBatch(index)
    else this.#readBatch(index, this.#pending.takeAll())
    if (this.#pending.count > 0) this.#scheduleRest()
  }

  /** Continues after timers and sockets have run. */
  #scheduleRest(): void {
    if (this.#scheduled || this.#running || this.#writesBlocked) return
    this.#scheduled = true
    setImmediate(this.#tick)
  }

  #openIndex(): void {
    this.#running = true
    this.#host.open().then(
      () => {
        this.#running = false
        this.#schedule()
        this.#wakeIdle()
      },
      (error: unknown) => {
        this.#running = false
        this.#rejectAll(error)
      },
    )
  }

  #readBatch(index: ItemIndex, calls: QueuedCall[]): void {
    const together = calls.length >= readsWorthTransaction
    const deadline = this.#budget.deadline()
    let done = 0
    try {
      if (together) index.run('begin')
      try {
        const now = this.#host.now()
        while (done < calls.length) {
          ;(calls[done] as QueuedCall).run(index, now)
          done += 1
          if ((done & 15) === 0 && this.#budget.isPast(deadline)) break
        }
      } finally {
        if (together) tryToEnd(index, 'commit')
      }
    } catch (error) {
      this.#indexFailed(error, calls.slice(0, done), calls.slice(done))
      return
    }
    for (let at = 0; at < done; at += 1) (calls[at] as QueuedCall).deliver()
    this.#pending.putBack(calls.slice(done))
  }

  #writeBatch(index: ItemIndex): void {
    // Writes wait for another process, so only reads may run.
    if (this.#writesBlocked) {
      this.#runIndependentReads(index)
      return
    }
    try {
      index.run('begin immediate')
    } catch (error) {
      if (failureKind(error) === 'busy') this.#locked(index, error)
      else this.#indexFailed(error, [], this.#pending.takeAll())
      return
    }
    this.#lockedRounds = 0
    this.#runTransaction(index, this.#pending.takeAll())
  }

  #runTransaction(index: ItemIndex, calls: QueuedCall[]): void {
    const deadline = this.#budget.deadline()
    let done = 0
    try {
      const now = this.#host.now()
      while (done < calls.length) {
        ;(calls[done] as QueuedCall).run(index, now)
        done += 1
        if ((done & 7) === 0 && this.#budget.isPast(deadline)) break
      }
      this.#host.beforeCommit(index, now, done, deadline)
      index.run('commit')
    } catch (error) {
      tryToEnd(index, 'rollback')
      this.#host.rolledBack()
      this.#transactionFailed(index, error, calls)
      return
    }
    const finished = done === calls.length ? calls : calls.slice(0, done)
    if (done < calls.length) this.#pending.putBack(calls.slice(done))
    this.#committed(finished)
  }

  #committed(calls: readonly QueuedCall[]): void {
    const safe = this.#host.afterCommit(calls.length)
    if (safe === undefined) {
      for (const call of calls) call.deliver()
      return
    }
    this.#undelivered += calls.length
    safe
      .then(
        () => {
          for (const call of calls) call.deliver()
        },
        (error: unknown) => {
          for (const call of calls) call.reject(error)
        },
      )
      .finally(() => {
        this.#undelivered -= calls.length
        this.#wakeIdle()
      })
  }

  #transactionFailed(index: ItemIndex, error: unknown, calls: QueuedCall[]): void {
    if (failureKind(error) !== 'full') this.#indexFailed(error, [], calls)
    else if (calls.length === 1) this.#diskFull(error, calls)
    else this.#runOneByOne(index, error, calls)
  }

  /** On a full disk, each call gets its own transaction: removals and small items may still fit. */
  #runOneByOne(index: ItemIndex, error: unknown, calls: readonly QueuedCall[]): void {
    const unable: QueuedCall[] = []
    for (const [at, call] of calls.entries()) {
      try {
        index.run('begin immediate')
        const now = this.#host.now()
        call.run(index, now)
        this.#host.beforeCommit(index, now, 1, this.#budget.deadline())
        index.run('commit')
      } catch (failure) {
        tryToEnd(index, 'rollback')
        this.#host.rolledBack()
        if (failureKind(failure) !== 'full') {
          this.#indexFailed(failure, [], calls.slice(at))
          break
        }
        unable.push(call)
        continue
      }
      this.#committed([call])
    }
    if (unable.length > 0) this.#diskFull(error, unable)
  }

  /** Makes space for the calls and tries them again. Calls that failed too often reject, and all when nothing changed. */
  #diskFull(error: unknown, calls: readonly QueuedCall[]): void {
    const again: QueuedCall[] = []
    for (const call of calls) {
      call.fullAttempts += 1
      if (call.fullAttempts < maxFullAttempts) again.push(call)
      else call.reject(error)
    }
    if (again.length === 0) return
    // They keep their place in the queue, so that no later call on their keys overtakes them.
    this.#pending.putBack(again)
    this.#isMakingSpace = true
    const isRemoval = again.some((call) => call.isRemoval)
    this.#host.makeSpace(isRemoval).then(
      (canSucceed) => this.#spaceMade(canSucceed ? [] : again, error),
      () => this.#spaceMade(again, error),
    )
  }

  #spaceMade(unable: readonly QueuedCall[], error: unknown): void {
    this.#isMakingSpace = false
    const rejected = new Set(unable)
    for (const call of this.#pending.take((one) => rejected.has(one))) call.reject(error)
    if (this.#pending.count > 0) this.#schedule()
    this.#wakeIdle()
  }

  /** `done` ran, but their results were lost with the transaction. `rest` did not run. */
  #indexFailed(error: unknown, done: readonly QueuedCall[], rest: readonly QueuedCall[]): void {
    const kind = failureKind(error)
    const all = [...done, ...rest]
    if (kind === 'busy') {
      this.#pending.putBack(all)
      this.#scheduleRetry(error)
      return
    }
    if (kind === 'full') {
      this.#diskFull(error, all)
      return
    }
    this.#host.indexFailed(kind, error)
    const again: QueuedCall[] = []
    for (const call of all) {
      call.failedAttempts += 1
      if (kind === 'corrupt' && call.failedAttempts < 3) again.push(call)
      else call.reject(error)
    }
    this.#pending.putBack(again)
  }

  #locked(index: ItemIndex, error: unknown): void {
    this.#scheduleRetry(error)
    this.#runIndependentReads(index)
  }

  /** Tries again soon. Calls that waited for longer than the lock time-out reject. */
  #scheduleRetry(error: unknown): void {
    const oldest = performance.now() - this.#lockTimeout
    for (const call of this.#pending.take(({ calledAt }) => calledAt < oldest)) call.reject(error)
    if (this.#pending.count === 0 || this.#retry !== undefined) return
    this.#lockedRounds += 1
    // Random waits keep two processes from colliding again. They stay short: a write takes less than a millisecond.
    const wait = this.#lockedRounds < 3 ? 1 : 1 + Math.random() * Math.min(this.#lockedRounds, 12)
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#tick()
    }, wait)
  }

  #runIndependentReads(index: ItemIndex): void {
    const reads = this.#pending.takeIndependentReads()
    if (reads.length > 0) this.#readBatch(index, reads)
  }

  #refuseWrites(error: CacheError): void {
    for (const call of this.#pending.take(({ writes }) => writes)) call.reject(error)
  }

  #rejectAll(error: unknown): void {
    for (const call of this.#pending.takeAll()) call.reject(error)
    this.#wakeIdle()
  }

  #wakeIdle(): void {
    if (this.#idle.length === 0 || this.#pending.count > 0 || this.#undelivered > 0 || this.#running) return
    for (const wake of this.#idle.splice(0)) wake()
  }

  /** Rejects every waiting call with `CLOSED`. */
  rejectWaiting(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#rejectAll(new CacheError('CLOSED', "the backend 'file' was closed; open another one", { backend: 'file' }))
  }
}
