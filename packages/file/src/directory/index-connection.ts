import { CacheError, cacheErrorCode } from '@cache/core/backend'
import { type FailureKind, failureKind, fileError } from '../errors.ts'
import { ItemIndex } from '../index/item-index.ts'
import { ReadPin } from '../index/read-pin.ts'
import { openDatabase } from '../index/sqlite.ts'
import { WriteAheadLog } from '../index/write-ahead-log.ts'
import type { Settings } from '../options.ts'
import type { CacheDirectory } from './cache-directory.ts'
import type { IndexRescue } from './index-rescue.ts'
import { verificationMs } from './verification.ts'

/** The events of a connection. */
export interface ConnectionEvents {
  /** Runs after the index was opened. Its promise resolves before the first use of the index. */
  opened(readOnly: boolean): Promise<void> | undefined
  /** Runs after the index was dropped. */
  dropped(): void
  report(error: unknown, method: string): void
  /** Frees space that is reserved on the disk; resolves to whether there was any. */
  releaseReserve(): Promise<boolean>
}

/** The connection to the index: opens it on demand, again after a loss, and replaces a damaged one. */
export class IndexConnection {
  readonly #settings: Settings
  readonly #files: CacheDirectory
  readonly #rescue: IndexRescue
  readonly #events: ConnectionEvents
  #index: ItemIndex | undefined
  /** Absent while no index is open, and in a read-only directory. */
  pin: ReadPin | undefined
  #name = ''
  #log: WriteAheadLog | undefined
  #opening: Promise<ItemIndex> | undefined
  /** The name of a damaged index, which the next opening replaces. */
  #damagedName: string | undefined
  /** The time of the last look at the file `current`, by the monotonic clock. */
  #verifiedAt = Number.NEGATIVE_INFINITY
  #warnedFileSystem: string | undefined
  /** Whether the directory is read-only, by the last opening. */
  isReadOnly = false

  constructor(settings: Settings, files: CacheDirectory, rescue: IndexRescue, events: ConnectionEvents) {
    this.#settings = settings
    this.#files = files
    this.#rescue = rescue
    this.#events = events
  }

  get index(): ItemIndex | undefined {
    return this.#index
  }

  /** The path of the open index; empty while none is open. */
  get path(): string {
    return this.#index === undefined ? '' : this.#files.file(this.#name)
  }

  get log(): WriteAheadLog | undefined {
    return this.#log
  }

  /** Whether an index is open and is still the current one. */
  get isCurrent(): boolean {
    return this.#index !== undefined && this.#files.isCurrent()
  }

  /**
   * The open index, or `undefined` when it must be opened. Drops an index that is no longer the current one. It looks at
   * `current` with `verify`, and when the last look is too long ago.
   */
  currentIndex(verify: boolean): ItemIndex | undefined {
    if (this.#index === undefined) return undefined
    const now = performance.now()
    if (!verify && now - this.#verifiedAt < verificationMs) return this.#index
    this.#verifiedAt = now
    if (this.#files.isCurrent()) return this.#index
    // A read-only index also stops being current when the first writer comes, which is no fault.
    if (!this.isReadOnly) this.#reportReplaced()
    this.#drop()
    return undefined
  }

  /** Opens the index. Calls during an opening share it. */
  open(): Promise<ItemIndex> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  /** Drops an index that failed; the next opening replaces a damaged one. */
  indexFailed(kind: FailureKind, error: unknown): void {
    if (kind === 'corrupt') {
      this.#damagedName = this.#name
      this.#events.report(error, 'open')
    }
    this.#drop()
  }

  /** Resolves when no opening runs. */
  async idle(): Promise<void> {
    await this.#opening?.catch(() => undefined)
  }

  close(): void {
    const index = this.#index
    this.#index = undefined
    this.#log = undefined
    this.pin?.close()
    this.pin = undefined
    try {
      index?.database.close()
    } catch (error) {
      this.#events.report(error, 'close')
    }
  }

  async #open(): Promise<ItemIndex> {
    const start = performance.now()
    for (;;) {
      try {
        return await this.#openOnce()
      } catch (error) {
        // An index cannot be opened without space for its -shm file.
        if (failureKind(error) === 'full' && (await this.#events.releaseReserve())) continue
        const waited = performance.now() - start
        const code = cacheErrorCode(error)
        if (code !== undefined && code !== 'DAMAGED') throw error
        const isDamage = code === 'DAMAGED' || failureKind(error) === 'corrupt'
        if (!isDamage || waited > this.#settings.lockTimeout) throw fileError(error, 'open')
        if (this.#damagedName === undefined) this.#events.report(error, 'open')
        this.#damagedName = await this.#files.currentName()
      }
    }
  }

  async #openOnce(): Promise<ItemIndex> {
    const fileSystem = await this.#files.prepare()
    this.#warn(fileSystem.kind === 'local' ? undefined : fileSystem.name)
    if (this.#damagedName !== undefined) {
      await this.#rescue.replace(this.#damagedName)
      this.#damagedName = undefined
    }
    const { database, name, readOnly } = await this.#files.open()
    const index = new ItemIndex(database, this.#settings.policy)
    await this.#events.opened(readOnly)
    this.#index = index
    this.#name = name
    this.isReadOnly = readOnly
    const path = this.#files.file(name)
    this.#log = new WriteAheadLog(path)
    if (!readOnly) this.pin = new ReadPin(() => openDatabase(path, this.#settings.engine))
    return index
  }

  #reportReplaced(): void {
    const message = `${this.#files.path} was removed or replaced, so it is opened again`
    this.#events.report(new CacheError('UNAVAILABLE', message, { backend: 'file', operation: 'open' }), 'open')
  }

  #warn(fileSystem: string | undefined): void {
    if (fileSystem === undefined || this.#warnedFileSystem === fileSystem) return
    if (this.#settings.networkFileSystem === 'allow') return
    this.#warnedFileSystem = fileSystem
    const message = `${this.#files.path} is on ${fileSystem}, where SQLite's locks may not work between machines`
    this.#events.report(new CacheError('UNSUPPORTED', message, { backend: 'file', operation: 'open' }), 'open')
  }

  /** Closes an index that failed or is no longer current. The next call opens the current one. */
  #drop(): void {
    this.close()
    this.#events.dropped()
  }
}
