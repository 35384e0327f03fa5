import { CacheError, cacheErrorCode, type EventHub } from '@cache/core/backend'
import { Background } from '../background/background-thread.ts'
import { Checkpointer } from '../background/checkpointer.ts'
import type { IndexTaskResult, Inspection } from '../background/index-tasks.ts'
import { OperationQueue, type QueueOwner } from '../calls/call-queue.ts'
import { type FailureKind, failureKind, fileError } from '../errors.ts'
import { ItemIndex } from '../index/item-index.ts'
import { Wal } from '../index/write-ahead-log.ts'
import { Touches } from '../limits/access-log.ts'
import { Culler } from '../limits/evictor.ts'
import { Janitor } from '../limits/maintenance.ts'
import { Trash } from '../limits/trash.ts'
import type { Settings } from '../options.ts'
import { ValueFiles } from '../values/value-files.ts'
import { StoreDirectory } from './cache-directory.ts'
import { Rescue } from './index-rescue.ts'

/** Operations after which a write looks for expired items to remove. */
const operationsPerExpiry = 16

/** One handle's connection to the directory: opens the index when it is needed, again when it was lost, and keeps its limits. */
export class Store implements QueueOwner {
  readonly settings: Settings
  readonly directory: StoreDirectory
  readonly values: ValueFiles
  readonly queue: OperationQueue
  readonly culler: Culler
  readonly touches: Touches
  readonly trash: Trash
  readonly background: Background = new Background()
  readonly checkpointer: Checkpointer
  readonly janitor: Janitor
  readonly hub: EventHub
  readonly #rescue: Rescue
  #index: ItemIndex | undefined
  #indexName = ''
  #readOnly = false
  #wal: Wal | undefined
  #opening: Promise<ItemIndex> | undefined
  #counting: Promise<void> | undefined
  #corrupt: string | undefined
  #warnedOf: string | undefined
  #closed = false
  #hasTrash = false
  #touching = false
  #expiryCredit = 0
  /** Something was committed since the log was last made safe. */
  #dirty = false
  /** The names of the index are safe against a loss of power. */
  #namesSafe = false
  #syncing: Promise<void> = Promise.resolve()

  constructor(settings: Settings, hub: EventHub) {
    this.settings = settings
    this.hub = hub
    this.directory = new StoreDirectory(settings, this.background)
    this.values = new ValueFiles(this.directory.valuesDir, settings)
    this.touches = new Touches(settings.policy)
    this.culler = new Culler(settings, this.touches, hub)
    this.queue = new OperationQueue(this, settings.lockTimeout)
    this.trash = new Trash(this)
    this.checkpointer = new Checkpointer(this)
    this.janitor = new Janitor(this)
    this.#rescue = new Rescue(this)
  }

  now(): number {
    return this.settings.clock.now()
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Path of the index in use; empty while none is open. */
  get indexPath(): string {
    return this.#index === undefined ? '' : this.directory.file(this.#indexName)
  }

  get wal(): Wal | undefined {
    return this.#wal
  }

  /** Looked at once in a turn of the event loop. */
  opened(look: boolean): ItemIndex | undefined {
    if (this.#closed) throw new CacheError('CLOSED', 'The file backend was closed', { backend: 'file' })
    if (this.#index === undefined) return undefined
    if (look && !this.directory.isCurrent()) {
      // A reader of a directory that it may not write to has merely seen a writer come.
      if (!this.#readOnly) this.#reportReplaced()
      this.#drop()
      return undefined
    }
    return this.#index
  }

  async prepareForReading(): Promise<void> {
    if (this.opened(true) === undefined) await this.open()
  }

  /** Opens the index where it is not open: a value file is written before its row. */
  async prepare(): Promise<void> {
    await this.prepareForReading()
    if (this.refusal !== undefined) throw this.refusal
  }

  get refusal(): CacheError | undefined {
    if (!this.#readOnly) return undefined
    return new CacheError('READ_ONLY', `${this.directory.path} cannot be written to`, { backend: 'file' })
  }

  open(): Promise<ItemIndex> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  lost(kind: FailureKind, error: unknown): void {
    if (kind === 'corrupt') {
      this.#corrupt = this.#indexName
      this.report(error, 'open')
    }
    this.#drop()
  }

  beforeCommit(index: ItemIndex, now: number, operations: number, deadline: number): void {
    this.touches.apply(index, false)
    this.#expiryCredit += operations
    if (this.#expiryCredit >= operationsPerExpiry) {
      // Twice as many as could have been added, so that what has expired shrinks under load too.
      this.culler.removeExpired(index, now, 2 * this.#expiryCredit)
      this.#expiryCredit = 0
    }
    const total = index.total()
    this.#hasTrash = total.trash > 0
    if (!this.culler.isOver(total)) return
    if (this.culler.doubts(index)) this.#countLater()
    else if (!this.culler.cull(index, now, deadline)) this.#cullLater()
  }

  afterCommit(operations: number): Promise<void> | undefined {
    this.culler.committed()
    this.touches.committed()
    if (this.#hasTrash) this.trash.empty()
    this.#dirty = true
    this.checkpointer.written(operations, this.#index?.takeBytesWritten() ?? 0)
    return this.settings.durability === 'full' ? this.#wal?.sync() : undefined
  }

  rolledBack(): void {
    this.culler.rolledBack()
    this.touches.rolledBack()
  }

  /** Makes everything that was acknowledged safe against a loss of power. */
  sync(): Promise<void> {
    // After one that is under way, which may have begun before the last write, and may fail.
    this.#syncing = this.#syncing.catch(() => undefined).then(() => this.#syncOnce())
    return this.#syncing
  }

  async #syncOnce(): Promise<void> {
    const wal = this.#wal
    if (!this.#dirty || wal === undefined) return
    this.#dirty = false
    try {
      // The log comes last: its rows must find their files.
      await this.values.sync()
      if (!this.#namesSafe) await this.#syncNames()
      await wal.sync()
    } catch (error) {
      this.#dirty = true
      throw error
    }
  }

  async #syncNames(): Promise<void> {
    await this.directory.sync()
    this.#namesSafe = true
  }

  /** Tells the listeners of something that no caller is told of. */
  report(error: unknown, operation: string): void {
    if (this.hub.active && !this.#closed) this.hub.emit({ type: 'error', error: fileError(error, operation) })
  }

  /** Whether an index is open and still the directory's. What runs by itself must not make a removed directory again. */
  get ready(): boolean {
    return this.#index !== undefined && !this.#readOnly && this.directory.isCurrent()
  }

  /** Tells the policy of a read. */
  noteRead(id: number, now: number): void {
    this.touches.note(id, now)
    if (!this.touches.full || this.#touching || this.#readOnly) return
    this.#touching = true
    this.queue
      .write('touch', undefined, (index) => this.touches.apply(index, false))
      .catch(() => undefined)
      .finally(() => {
        this.#touching = false
      })
  }

  /** Looks at the open index in another thread. */
  inspect(inspection: Inspection): Promise<IndexTaskResult> {
    return this.background.run({ ...inspection, path: this.indexPath, engine: this.settings.engine })
  }

  /** Has the totals counted anew where they cannot be believed, so that nothing is given up by them. */
  async countAnew(): Promise<void> {
    const doubtful = await this.queue.read('cull', undefined, (index) => this.culler.doubts(index))
    if (doubtful) await this.#countOnce()
  }

  /** Lets what was asked for settle, then closes the index. */
  async close(settled: Promise<unknown>): Promise<void> {
    this.janitor.stop()
    await settled
    await this.queue.idle()
    if (this.touches.size > 0 && this.#index !== undefined && !this.#readOnly) {
      await this.queue.write('close', undefined, (index) => this.touches.apply(index, true)).catch(() => undefined)
    }
    await this.trash.idle()
    await this.janitor.idle()
    await this.queue.idle()
    await this.#opening?.catch(() => undefined)
    this.#closed = true
    this.queue.abandon()
    await this.sync().catch(() => undefined)
    this.#closeIndex()
    await this.checkpointer.idle()
    await this.background.close()
  }

  #countLater(): void {
    this.#countOnce().then(
      () => this.#cullLater(),
      (error: unknown) => this.report(error, 'cull'),
    )
  }

  #countOnce(): Promise<void> {
    this.#counting ??= this.inspect({ kind: 'totals', fix: true })
      .then(() => this.culler.recounted())
      .finally(() => {
        this.#counting = undefined
      })
    return this.#counting
  }

  #cullLater(): void {
    // An operation that writes nothing itself: `beforeCommit` goes on where it stopped.
    setImmediate(() => {
      if (!this.#closed) this.queue.write('cull', undefined, () => undefined).catch(() => undefined)
    })
  }

  async #open(): Promise<ItemIndex> {
    const start = performance.now()
    for (;;) {
      try {
        return await this.#openOnce()
      } catch (error) {
        const waited = performance.now() - start
        const code = cacheErrorCode(error)
        if (code !== undefined && code !== 'DAMAGED') throw error
        if ((code === undefined && failureKind(error) !== 'corrupt') || waited > this.settings.lockTimeout)
          throw fileError(error, 'open')
        if (this.#corrupt === undefined) this.report(error, 'open')
        this.#corrupt = await this.directory.currentName()
      }
    }
  }

  async #openOnce(): Promise<ItemIndex> {
    const fileSystem = await this.directory.prepare()
    this.#warn(fileSystem.kind === 'local' ? undefined : fileSystem.name)
    if (this.#corrupt !== undefined) {
      await this.#rescue.replace(this.#corrupt)
      this.#corrupt = undefined
    }
    const { database, name, readOnly } = await this.directory.open()
    const index = new ItemIndex(database, this.settings.policy)
    this.#namesSafe = false
    if (this.settings.durability === 'full' && !readOnly) await this.#syncNames()
    this.#index = index
    this.#indexName = name
    this.#readOnly = readOnly
    this.#wal = new Wal(this.directory.file(name))
    this.janitor.start()
    return index
  }

  #reportReplaced(): void {
    const message = `${this.directory.path} was removed or replaced, and is opened anew`
    this.report(new CacheError('UNAVAILABLE', message, { backend: 'file', operation: 'open' }), 'open')
  }

  #warn(fileSystem: string | undefined): void {
    if (fileSystem === undefined || this.#warnedOf === fileSystem || this.settings.networkFileSystem === 'allow') return
    this.#warnedOf = fileSystem
    const message = `${this.directory.path} is on ${fileSystem}, where the locks of SQLite may not work between machines`
    this.report(new CacheError('UNSUPPORTED', message, { backend: 'file', operation: 'open' }), 'open')
  }

  /** Lets go of an index that is not the directory's any more, or that failed. The next operation opens what is there then. */
  #drop(): void {
    this.#closeIndex()
    this.values.forget()
    this.touches.forget()
  }

  #closeIndex(): void {
    const index = this.#index
    this.#index = undefined
    this.#wal = undefined
    try {
      index?.database.close()
    } catch (error) {
      this.report(error, 'close')
    }
  }
}
