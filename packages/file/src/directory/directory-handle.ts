import { CacheError, type EventHub } from '@cache/core/backend'
import { BackgroundThread } from '../background/background-thread.ts'
import { Checkpointer, type CheckpointHost } from '../background/checkpointer.ts'
import type { IndexTaskResult, Inspection } from '../background/index-task.ts'
import { CallQueue, type QueueHost } from '../calls/call-queue.ts'
import { EventLoopBudget } from '../calls/event-loop-budget.ts'
import { type FailureKind, fileError } from '../errors.ts'
import type { ItemIndex } from '../index/item-index.ts'
import { AccessLog } from '../limits/access-log.ts'
import { DiskSpace, type DiskSpaceHost } from '../limits/disk-space.ts'
import { Evictor } from '../limits/evictor.ts'
import { LimitEnforcer, type LimitHost } from '../limits/limit-enforcer.ts'
import { Maintenance, type MaintenanceHost } from '../limits/maintenance.ts'
import { Reserve } from '../limits/reserve.ts'
import { Trash, type TrashHost } from '../limits/trash.ts'
import type { Settings } from '../options.ts'
import { ValueFiles } from '../values/value-files.ts'
import { CacheDirectory } from './cache-directory.ts'
import type { DirectoryAccess } from './directory-access.ts'
import { DiskSync } from './disk-sync.ts'
import { IndexConnection } from './index-connection.ts'
import { IndexRescue } from './index-rescue.ts'

/** Bytes of the log that a call adds besides its value. */
const bytesPerCall = 4096

/**
 * One backend's handle of its directory. It connects the parts that open the index, run calls on it and keep its
 * limits.
 */
export class DirectoryHandle
  implements DirectoryAccess, QueueHost, CheckpointHost, LimitHost, MaintenanceHost, TrashHost, DiskSpaceHost
{
  readonly settings: Settings
  readonly values: ValueFiles
  readonly queue: CallQueue
  readonly evictor: Evictor
  readonly maintenance: Maintenance
  readonly background: BackgroundThread
  readonly #hub: EventHub
  readonly #files: CacheDirectory
  readonly #connection: IndexConnection
  readonly #diskSync: DiskSync
  readonly #accessLog: AccessLog
  readonly #limits: LimitEnforcer
  readonly #trash: Trash
  readonly checkpointer: Checkpointer
  readonly #diskSpace: DiskSpace
  #isClosed = false

  constructor(settings: Settings, hub: EventHub) {
    const budget = new EventLoopBudget()
    this.settings = settings
    this.#hub = hub
    this.background = new BackgroundThread(settings.engine)
    this.#files = new CacheDirectory(settings, this.background, (error, method) => this.report(error, method))
    this.values = new ValueFiles(this.#files.valuesDir, settings)
    const rescue = new IndexRescue(this.#files, this.background, settings, (error, method) =>
      this.report(error, method),
    )
    this.#connection = new IndexConnection(settings, this.#files, rescue, {
      opened: (readOnly) => this.#indexOpened(readOnly),
      dropped: () => this.#indexDropped(),
      report: (error, method) => this.report(error, method),
      releaseReserve: () => this.#diskSpace.releaseReserve(),
    })
    this.#diskSync = new DiskSync(this.#files, this.values, () => this.#connection.log)
    this.#accessLog = new AccessLog(settings.policy)
    this.evictor = new Evictor(settings, this.#accessLog, hub, budget)
    this.queue = new CallQueue(this, settings.lockTimeout, budget)
    this.#limits = new LimitEnforcer(this, this.evictor, this.#accessLog)
    this.#trash = new Trash(this)
    this.checkpointer = new Checkpointer(this)
    this.#diskSpace = new DiskSpace(this, new Reserve(this.#files.file('reserve'), settings.fileMode))
    this.maintenance = new Maintenance(this, this.evictor, this.#accessLog, budget)
  }

  now(): number {
    return this.settings.clock.now()
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get isReadOnly(): boolean {
    return this.#connection.isReadOnly
  }

  get isUsable(): boolean {
    return this.#connection.isCurrent && !this.#connection.isReadOnly
  }

  get indexPath(): string {
    return this.#connection.path
  }

  /** The directory of the cache. */
  get path(): string {
    return this.#files.path
  }

  get refusal(): CacheError | undefined {
    if (!this.isReadOnly) return undefined
    return new CacheError('READ_ONLY', `${this.#files.path} is read-only`, { backend: 'file' })
  }

  currentIndex(verify: boolean): ItemIndex | undefined {
    if (this.#isClosed) {
      throw new CacheError('CLOSED', "the backend 'file' was closed; open another one", { backend: 'file' })
    }
    return this.#connection.currentIndex(verify)
  }

  pinReads(): void {
    this.#connection.pin?.take()
  }

  unpinReads(): void {
    this.#connection.pin?.release()
  }

  open(): Promise<ItemIndex> {
    return this.#connection.open()
  }

  indexFailed(kind: FailureKind, error: unknown): void {
    this.#connection.indexFailed(kind, error)
  }

  async prepareForReading(): Promise<void> {
    if (this.currentIndex(true) === undefined) await this.open()
  }

  async prepare(): Promise<void> {
    await this.prepareForReading()
    if (this.refusal !== undefined) throw this.refusal
  }

  beforeCommit(index: ItemIndex, now: number, calls: number, deadline: number): void {
    this.#limits.beforeCommit(index, now, calls, deadline)
  }

  afterCommit(calls: number): Promise<void> | undefined {
    this.#limits.committed()
    if (this.#limits.hasTrash) this.#trash.empty()
    this.#diskSync.committed()
    const bytes = this.#connection.index?.takeBytesWritten() ?? 0
    this.checkpointer.committed(calls, bytes)
    this.#diskSpace.wrote(calls * bytesPerCall + bytes + this.values.takeBytesWritten())
    return this.settings.durability === 'full' ? this.#connection.log?.sync() : undefined
  }

  makeSpace(isRemoval: boolean): Promise<boolean> {
    return this.#diskSpace.makeSpace(isRemoval)
  }

  rolledBack(): void {
    this.#limits.rolledBack()
  }

  noteRead(id: number, now: number): void {
    this.#limits.noteRead(id, now)
  }

  recountIfNeeded(): Promise<void> {
    return this.#limits.recountIfNeeded()
  }

  /** Resolves when every acknowledged write is safe against a loss of power. */
  sync(): Promise<void> {
    return this.#diskSync.sync()
  }

  async syncLog(): Promise<void> {
    await this.#connection.log?.sync()
  }

  /** Runs a task on the open index in another thread. */
  inspect(inspection: Inspection): Promise<IndexTaskResult> {
    return this.background.run({ ...inspection, path: this.indexPath })
  }

  report(error: unknown, method: string): void {
    if (this.#hub.wants('error') && !this.#isClosed) this.#hub.emit({ type: 'error', error: fileError(error, method) })
  }

  /** Waits for all started work, then closes the index. */
  async close(): Promise<void> {
    this.maintenance.stop()
    await this.queue.idle()
    if (this.#accessLog.size > 0 && this.#connection.index !== undefined && !this.isReadOnly) {
      await this.queue.write('close', undefined, (index) => this.#accessLog.write(index, true)).catch(() => undefined)
    }
    await this.#trash.idle()
    await this.#diskSpace.close()
    await this.maintenance.idle()
    await this.queue.idle()
    await this.#connection.idle()
    this.#isClosed = true
    this.queue.rejectWaiting()
    await this.sync().catch(() => undefined)
    this.#connection.close()
    await this.checkpointer.idle()
    await this.background.close()
  }

  async #indexOpened(readOnly: boolean): Promise<void> {
    this.#diskSync.indexOpened()
    if (this.settings.durability === 'full' && !readOnly) await this.#diskSync.syncNames()
    this.maintenance.start()
  }

  #indexDropped(): void {
    this.values.forget()
    this.#accessLog.clear()
  }
}
