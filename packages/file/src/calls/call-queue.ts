import { CacheError, cacheErrorCode } from '@cache/core/backend'
import { type FailureKind, failureKind, fileError } from '../errors.ts'
import type { ItemIndex } from '../index/item-index.ts'
import { Stretch, turnBudget } from './event-loop-budget.ts'
import { Operation, type Work } from './queued-call.ts'
import { endQuietly, TickReads } from './read-transaction.ts'

/** What the queue asks of the store around it. */
export interface QueueOwner {
  now(): number
  /** The index, opening it when it is not open. */
  open(): Promise<ItemIndex>
  /** The open index, or `undefined` when it must be opened (again). With `look`, makes sure that it is still the directory's. */
  opened(look: boolean): ItemIndex | undefined
  /** Why nothing can be written now, where that is so. */
  readonly refusal: CacheError | undefined
  /** The index failed beyond one operation: `corrupt` calls for a new one, anything else for opening it again. */
  lost(kind: FailureKind, error: unknown): void
  /** Inside the transaction, after the operations: limits, expired items, buffered touches. */
  beforeCommit(index: ItemIndex, now: number, operations: number, deadline: number): void
  /** After the commit; what it returns is awaited before the callers are told. */
  afterCommit(operations: number): Promise<void> | undefined
  rolledBack(): void
}

/** The key or keys that an operation concerns; `undefined` where it concerns any. */
type Keys = string | readonly string[] | undefined

/** Reads from which on a transaction around them is cheaper than their own locks. */
const readsWorthTransaction = 4

/**
 * Runs what was asked for in the order of asking. Everything asked for in one tick shares one transaction, which is what
 * makes writes cheap; a turn that takes too long is committed and continued in the next. While another process writes,
 * the queue tries again without blocking, and reads that wait for no write of this queue go ahead.
 */
export class OperationQueue {
  readonly #owner: QueueOwner
  readonly #lockTimeout: number
  #pending: Operation[] = []
  #writes = 0
  readonly #stretch = new Stretch()
  readonly #tickReads: TickReads
  #scheduled = false
  #running = false
  #busyRounds = 0
  #retry: NodeJS.Timeout | undefined
  #paused = false
  #idle: (() => void)[] = []
  #unsettled = 0

  constructor(owner: QueueOwner, lockTimeout: number) {
    this.#owner = owner
    this.#lockTimeout = lockTimeout
    this.#tickReads = new TickReads(() => owner.opened(this.#stretch.begin()), this.#stretch)
  }

  read<Value>(name: string, keys: Keys, work: Work<Value>): Promise<Value> {
    const index = this.#readableNow()
    if (index === undefined) return this.#add(new Operation(name, keys, false, work))
    try {
      return Promise.resolve(work(index, this.#owner.now()))
    } catch (error) {
      if (cacheErrorCode(error) !== undefined)
        return Promise.reject(fileError(error, name, typeof keys === 'string' ? keys : undefined))
      // The queue knows what to do about a failing index.
      return this.#add(new Operation(name, keys, false, work))
    }
  }

  write<Value>(name: string, keys: Keys, work: Work<Value>): Promise<Value> {
    return this.#add(new Operation(name, keys, true, work))
  }

  /** Lets another thread have the write lock. Reads go on. */
  pauseWrites(): void {
    this.#paused = true
  }

  resumeWrites(): void {
    this.#paused = false
    if (this.#pending.length > 0) this.#schedule()
  }

  get #writesWait(): boolean {
    return this.#paused || this.#retry !== undefined
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    while (this.#pending.length > 0 || this.#unsettled > 0 || this.#running) {
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
  }

  /** The index, where a read may run at once: nothing waits that it would overtake. */
  #readableNow(): ItemIndex | undefined {
    return this.#pending.length > 0 || this.#running ? undefined : this.#tickReads.next()
  }

  #add<Value>(operation: Operation<Value>): Promise<Value> {
    this.#pending.push(operation as Operation)
    if (operation.writes) this.#writes += 1
    this.#schedule()
    return operation.promise
  }

  #schedule(): void {
    if (this.#scheduled || this.#running) return
    // Reads need not wait for another process to end its write.
    if (this.#writesWait && this.#writes === this.#pending.length) return
    this.#scheduled = true
    // Otherwise a loop of awaited calls would let in no timer and no socket.
    if (this.#stretch.isLong) setImmediate(this.#turn)
    // Runs when every promise callback of this tick has run: callers some awaits apart still meet in one transaction.
    else process.nextTick(this.#turn)
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    if (!this.#running && this.#pending.length > 0) this.#run()
    this.#wakeIdle()
  }

  #run(): void {
    this.#tickReads.end()
    let index: ItemIndex | undefined
    try {
      // Once in a turn of the event loop: within one, nothing can be learned of what another process has done since.
      index = this.#owner.opened(this.#stretch.begin())
    } catch (error) {
      this.#failAll(error)
      return
    }
    if (index === undefined) {
      this.#open()
      return
    }
    if (this.#writes > 0 && this.#owner.refusal !== undefined) this.#refuseWrites(this.#owner.refusal)
    if (this.#writes > 0) this.#writeTurn(index)
    else this.#readTurn(index, this.#takeAll())
    if (this.#pending.length > 0) this.#again()
  }

  /** The rest of a turn that was cut short: after timers and sockets had their chance. */
  #again(): void {
    if (this.#scheduled || this.#running || this.#writesWait) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  #open(): void {
    this.#running = true
    this.#owner.open().then(
      () => {
        this.#running = false
        this.#schedule()
        this.#wakeIdle()
      },
      (error: unknown) => {
        this.#running = false
        this.#failAll(error)
      },
    )
  }

  #takeAll(): Operation[] {
    const taken = this.#pending
    this.#pending = []
    this.#writes = 0
    return taken
  }

  /** Puts back in front what did not run. */
  #putBack(operations: readonly Operation[]): void {
    if (operations.length === 0) return
    this.#pending = this.#pending.length === 0 ? [...operations] : [...operations, ...this.#pending]
    this.#writes = 0
    for (const operation of this.#pending) if (operation.writes) this.#writes += 1
  }

  #readTurn(index: ItemIndex, operations: Operation[]): void {
    const together = operations.length >= readsWorthTransaction
    const deadline = performance.now() + turnBudget
    let done = 0
    try {
      if (together) index.run('begin')
      try {
        const now = this.#owner.now()
        while (done < operations.length) {
          ;(operations[done] as Operation).run(index, now)
          done += 1
          if ((done & 15) === 0 && performance.now() > deadline) break
        }
      } finally {
        if (together) endQuietly(index, 'commit')
      }
    } catch (error) {
      this.#broken(error, operations.slice(0, done), operations.slice(done))
      return
    }
    for (let at = 0; at < done; at++) (operations[at] as Operation).settle()
    this.#putBack(operations.slice(done))
  }

  #writeTurn(index: ItemIndex): void {
    // Waiting for another process: only reads may have come in between.
    if (this.#writesWait) {
      this.#readAhead(index)
      return
    }
    try {
      index.run('begin immediate')
    } catch (error) {
      if (failureKind(error) === 'busy') this.#busy(index, error)
      else this.#broken(error, [], this.#takeAll())
      return
    }
    this.#busyRounds = 0
    this.#transaction(index, this.#takeAll())
  }

  #transaction(index: ItemIndex, operations: Operation[]): void {
    const deadline = performance.now() + turnBudget
    let done = 0
    try {
      const now = this.#owner.now()
      while (done < operations.length) {
        ;(operations[done] as Operation).run(index, now)
        done += 1
        if ((done & 7) === 0 && performance.now() > deadline) break
      }
      this.#owner.beforeCommit(index, now, done, deadline)
      index.run('commit')
    } catch (error) {
      endQuietly(index, 'rollback')
      this.#owner.rolledBack()
      this.#transactionFailed(index, error, operations)
      return
    }
    const finished = done === operations.length ? operations : operations.slice(0, done)
    if (done < operations.length) this.#putBack(operations.slice(done))
    this.#committed(finished)
  }

  #committed(operations: readonly Operation[]): void {
    const safe = this.#owner.afterCommit(operations.length)
    if (safe === undefined) {
      for (const operation of operations) operation.settle()
      return
    }
    this.#unsettled += operations.length
    safe
      .then(
        () => {
          for (const operation of operations) operation.settle()
        },
        (error: unknown) => {
          for (const operation of operations) operation.fail(error)
        },
      )
      .finally(() => {
        this.#unsettled -= operations.length
        this.#wakeIdle()
      })
  }

  /** A full disk need not refuse everything: deletes and small items may still fit, each in a transaction of its own. */
  #transactionFailed(index: ItemIndex, error: unknown, operations: Operation[]): void {
    if (failureKind(error) !== 'full' || operations.length === 1) {
      this.#broken(error, [], operations)
      return
    }
    for (const operation of operations) {
      try {
        index.run('begin immediate')
      } catch (failure) {
        operation.fail(failure)
        continue
      }
      this.#transaction(index, [operation])
    }
  }

  /** `done` ran but cannot be told, `rest` did not run. */
  #broken(error: unknown, done: readonly Operation[], rest: readonly Operation[]): void {
    const kind = failureKind(error)
    const all = [...done, ...rest]
    if (kind === 'busy') {
      this.#putBack(all)
      this.#wait(error)
      return
    }
    if (kind === 'full') {
      for (const operation of all) operation.fail(error)
      return
    }
    this.#owner.lost(kind, error)
    const again: Operation[] = []
    for (const operation of all) {
      operation.attempts += 1
      if (kind === 'corrupt' && operation.attempts < 3) again.push(operation)
      else operation.fail(error)
    }
    this.#putBack(again)
  }

  #busy(index: ItemIndex, error: unknown): void {
    this.#wait(error)
    this.#readAhead(index)
  }

  /** Tries again in a while; what has waited for too long is told so. */
  #wait(error: unknown): void {
    const oldest = performance.now() - this.#lockTimeout
    const late = this.#pending.filter((operation) => operation.since < oldest)
    if (late.length > 0) {
      this.#putBackOnly(this.#pending.filter((operation) => operation.since >= oldest))
      for (const operation of late) operation.fail(error)
    }
    if (this.#pending.length === 0 || this.#retry !== undefined) return
    this.#busyRounds += 1
    // Different waits for different processes, longer as it takes longer, and never long: another write takes well under a millisecond.
    const wait = this.#busyRounds < 3 ? 1 : 1 + Math.random() * Math.min(this.#busyRounds, 12)
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#turn()
    }, wait)
  }

  #putBackOnly(operations: Operation[]): void {
    this.#pending = []
    this.#writes = 0
    this.#putBack(operations)
  }

  /** Runs the reads of keys that no earlier write in the queue names. */
  #readAhead(index: ItemIndex): void {
    const written = new Set<string>()
    const ahead: Operation[] = []
    const rest: Operation[] = []
    for (const operation of this.#pending) {
      const keys = typeof operation.keys === 'string' ? [operation.keys] : (operation.keys ?? [])
      if (operation.writes) for (const key of keys) written.add(key)
      if (operation.writes || keys.some((key) => written.has(key))) rest.push(operation)
      else ahead.push(operation)
    }
    if (ahead.length === 0) return
    this.#putBackOnly(rest)
    this.#readTurn(index, ahead)
  }

  #refuseWrites(error: CacheError): void {
    const writes = this.#pending.filter((operation) => operation.writes)
    this.#putBackOnly(this.#pending.filter((operation) => !operation.writes))
    for (const operation of writes) operation.fail(error)
  }

  #failAll(error: unknown): void {
    for (const operation of this.#takeAll()) operation.fail(error)
    this.#wakeIdle()
  }

  #wakeIdle(): void {
    if (this.#idle.length === 0 || this.#pending.length > 0 || this.#unsettled > 0 || this.#running) return
    for (const wake of this.#idle.splice(0)) wake()
  }

  /** Fails whatever still waits, for a store that is closed for good. */
  abandon(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#failAll(new CacheError('CLOSED', 'The file backend was closed', { backend: 'file' }))
  }
}
