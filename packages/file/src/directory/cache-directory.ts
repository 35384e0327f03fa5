import { randomBytes } from 'node:crypto'
import { constants, statSync } from 'node:fs'
import { access, chmod, lstat, mkdir, readdir, rename, stat, truncate } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { CacheError } from '@cache/core/backend'
import type { BackgroundThread } from '../background/background-thread.ts'
import { setExactMode, syncDirectory } from '../disk/file-io.ts'
import { openFile } from '../disk/open-file.ts'
import { failureKind } from '../errors.ts'
import { pageBytes, schemaVersion } from '../index/schema.ts'
import type { Database } from '../index/sqlite.ts'
import type { Settings } from '../options.ts'
import { CurrentFile, indexName } from './current-file.ts'
import { lockDirectory } from './directory-lock.ts'
import { type FileSystem, fileSystemOf } from './file-system.ts'
import { openForReading, openForWriting } from './open-index.ts'

/** An open connection to the index. */
export interface OpenedDatabase {
  readonly database: Database
  readonly name: string
  /** Whether the directory is read-only. */
  readonly readOnly: boolean
}

/** Names of the files that SQLite opens beside an index, after the name of the index. */
const besideIndex = ['-wal', '-shm', '-journal'] as const

/**
 * The files of the cache directory:
 *
 *     current                   the name of the index in use
 *     index-1-1f0c93ab.sqlite   the index, with the -wal and -shm files of SQLite beside it
 *     values/3f/3f9a…           large values
 *     broken-1-1f0c93ab.sqlite  the last damaged index
 *     current.sqlite            the lock of processes that create or restore `current`
 *     rescue.sqlite             the lock of processes that replace a damaged index
 *     reserve                   space for removals on a nearly full disk
 *
 * An index never gets the name of an earlier one. A process that still has a removed index open deletes the -wal file
 * of its name when it closes. With one fixed name, it would delete the new index's log (sqlite.org/howtocorrupt.html,
 * 4.1 to 4.4). `current` is replaced by renaming, and every process checks it before each transaction. It names an
 * index only after that has its tables, so an empty index is damage.
 */
export class CacheDirectory {
  readonly #settings: Settings
  readonly #background: BackgroundThread
  readonly #report: (error: unknown, method: string) => void
  readonly path: string
  readonly #current: CurrentFile
  /** The path of a log that must not exist while the index is open as immutable; empty otherwise. */
  #absentLog = ''
  /** The topmost directory that `prepare` created. */
  #topCreated: string | undefined

  constructor(settings: Settings, background: BackgroundThread, report: (error: unknown, method: string) => void) {
    this.#settings = settings
    this.#background = background
    this.#report = report
    this.path = resolve(settings.dir)
    this.#current = new CurrentFile(this.file('current'), settings.fileMode)
  }

  file(name: string): string {
    return join(this.path, this.#settings.filePrefix + name)
  }

  get valuesDir(): string {
    return this.file('values')
  }

  /** Whether the index that was opened last is still in use. */
  isCurrent(): boolean {
    if (!this.#current.isUnchanged()) return false
    try {
      return this.#absentLog === '' || statSync(this.#absentLog, { throwIfNoEntry: false }) === undefined
    } catch {
      return false
    }
  }

  /** Creates the directory if it is missing; resolves to its file system. */
  async prepare(): Promise<FileSystem> {
    const { dirMode } = this.#settings
    const created = await mkdir(this.path, { recursive: true, mode: dirMode })
    if (created !== undefined) {
      this.#topCreated = created
      await chmod(this.path, dirMode)
    }
    if (!(await stat(this.path)).isDirectory()) throw unavailable(`${this.path} is not a directory`)
    const fileSystem = await fileSystemOf(this.path)
    if (fileSystem.kind === 'network' && this.#settings.networkFileSystem === 'refuse') {
      const problem = `${this.path} is on the network file system ${fileSystem.name}, where the locks of SQLite are not reliable`
      const message = `${problem}; use a local directory, or the option networkFileSystem: 'warn'`
      throw new CacheError('UNSUPPORTED', message, { backend: 'file', operation: 'open' })
    }
    return fileSystem
  }

  /** Makes the names of the index and of the created directories above it safe against a loss of power. */
  async sync(): Promise<void> {
    await syncDirectory(this.path)
    const top = this.#topCreated ?? this.path
    for (let dir = this.path; dir.length >= top.length; dir = dirname(dir)) {
      // The parent may belong to another user, and this process may not open it.
      await syncDirectory(dirname(dir)).catch((error: unknown) => {
        if (failureKind(error) !== 'readOnly') throw error
      })
      if (dir === dirname(dir)) break
    }
    this.#topCreated = undefined
  }

  /** Opens the current index and creates missing files. Waits for other processes that do the same (RACES R37). */
  async open(): Promise<OpenedDatabase> {
    this.#absentLog = ''
    if (!(await this.#isWritable())) return this.#openReadOnly()
    let name = await this.currentName()
    if (name === undefined) {
      const created = await this.#restoreCurrent()
      if (created !== undefined) return created
      name = await this.currentName()
      if (name === undefined) throw unavailable(`${this.#current.path} was removed while it was opened`)
    }
    await this.#checkIndexFiles(name)
    const { database, isEmpty } = await openForWriting(this.file(name), this.#settings, this.#background)
    if (isEmpty) this.#reportDamage(`the index ${name} was empty, so its items are lost`)
    return { database, name, readOnly: false }
  }

  /** Makes `name` the index in use. */
  async switchTo(name: string): Promise<void> {
    await this.#current.replace(name)
  }

  /** A name that no earlier index had. */
  newIndexName(): string {
    return `index-${schemaVersion}-${randomBytes(4).toString('hex')}.sqlite`
  }

  /**
   * The name of the index in use; `undefined` when the file `current` is missing, damaged or names an index that does
   * not exist. Throws `UNSUPPORTED` when a later version of this package wrote it.
   */
  async currentName(): Promise<string | undefined> {
    const found = await this.#current.read()
    if (typeof found === 'string') return undefined
    const [, version, id] = indexName.exec(found.name) as unknown as [string, string, string]
    if (Number(version) > schemaVersion) {
      // With the id of an index of this version, the number in `current` has changed, and not the version.
      if (await exists(this.file(`index-${schemaVersion}-${id}.sqlite`))) return undefined
      const message = `a later version of @cache/file wrote ${this.path}; update the package or use another directory`
      throw new CacheError('UNSUPPORTED', message, { backend: 'file', operation: 'open' })
    }
    return (await exists(this.file(found.name))) ? found.name : undefined
  }

  /** The files of all indexes of this version except `name`, with the files of SQLite beside them. */
  async otherIndexFiles(name: string): Promise<string[]> {
    const own = this.file(`index-${schemaVersion}-`)
    const paths = (await readdir(this.path)).map((entry) => join(this.path, entry))
    return paths.filter((path) => path.startsWith(own) && !path.startsWith(this.file(name)))
  }

  /** Creates an empty index file with the right permissions. SQLite gives the same permissions to its other files. */
  async createIndexFile(name: string): Promise<void> {
    const path = this.file(name)
    try {
      // An existing file is never opened: closing it would release every POSIX lock of this process on it.
      const file = await openFile(path, 'wx', this.#settings.fileMode)
      await setExactMode(file, this.#settings.fileMode)
      await file.close()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }

  /** Takes a lock; see `lockDirectory`. */
  async lock(
    name: 'current.sqlite' | 'rescue.sqlite',
    isNeeded: () => Promise<boolean>,
  ): Promise<Database | undefined> {
    const path = this.file(name)
    await this.#moveAsideUnlessFile(name)
    await this.createIndexFile(name)
    return lockDirectory({ path, engine: this.#settings.engine, timeout: this.#settings.lockTimeout }, isNeeded)
  }

  async #openReadOnly(): Promise<OpenedDatabase> {
    let name = await this.currentName()
    if (name === undefined) {
      name = await this.#newestIndex()
      if (name === undefined) {
        const message = `${this.path} is read-only and contains no cache`
        throw new CacheError('READ_ONLY', message, { backend: 'file', operation: 'open' })
      }
      this.#reportDamage(`${this.#current.path} is lost or damaged; the index ${name} is used`)
    }
    for (const suffix of ['', ...besideIndex]) {
      const kind = await kindOf(this.file(name + suffix))
      if (kind === 'other' || kind === 'link') throw unavailable(`${this.file(name + suffix)} is no regular file`)
    }
    const { database, absentLog } = await openForReading(this.file(name), this.#settings.engine)
    this.#absentLog = absentLog
    return { database, name, readOnly: true }
  }

  /**
   * Gives `current` the name of the latest index, or creates the first index and resolves to it. One process at a time
   * does this, so that two never create two stores.
   */
  async #restoreCurrent(): Promise<OpenedDatabase | undefined> {
    const isNeeded = async (): Promise<boolean> => (await this.currentName()) === undefined
    const lock = await this.lock('current.sqlite', isNeeded)
    try {
      if (lock === undefined || !(await isNeeded())) return undefined
      const found = await this.#current.read()
      await this.#moveAsideUnlessFile('current')
      if ((await this.#newestIndex()) === undefined) {
        if (found !== 'missing') this.#reportDamage(`${this.#current.path} names no index, and no index is left`)
        return await this.#createFirst()
      }
      await this.#nameNewestIndex(isNeeded)
      return undefined
    } finally {
      lock?.close()
    }
  }

  /** Holds the lock of rescues, because the index that a rescue has not finished could be the newest one. */
  async #nameNewestIndex(isNeeded: () => Promise<boolean>): Promise<void> {
    const lock = await this.lock('rescue.sqlite', isNeeded)
    try {
      const newest = await this.#newestIndex()
      if (lock === undefined || newest === undefined || !(await isNeeded())) return
      await this.#current.replace(newest)
      this.#reportDamage(`${this.#current.path} was lost or damaged; it names the index ${newest} again`)
    } finally {
      lock?.close()
    }
  }

  async #createFirst(): Promise<OpenedDatabase> {
    const name = this.newIndexName()
    await this.createIndexFile(name)
    const { database } = await openForWriting(this.file(name), this.#settings, this.#background)
    try {
      await this.#current.replace(name)
      // Notes the state of the file for `isCurrent`.
      await this.#current.read()
    } catch (error) {
      database.close()
      throw error
    }
    return { database, name, readOnly: false }
  }

  /**
   * The index with the latest change. It becomes the current one when the file `current` is lost. An empty one, which a
   * killed process leaves before its first transaction, comes last.
   */
  async #newestIndex(): Promise<string | undefined> {
    let newest: { name: string; hasData: boolean; changedAt: number } | undefined
    for (const entry of await readdir(this.path, { withFileTypes: true })) {
      const name = entry.name.slice(this.#settings.filePrefix.length)
      if (!entry.isFile() || !entry.name.startsWith(this.#settings.filePrefix)) continue
      if (Number(indexName.exec(name)?.[1]) !== schemaVersion) continue
      const { mtimeMs, size } = await stat(this.file(name))
      const log = await stat(this.file(`${name}-wal`)).catch(() => undefined)
      const one = { name, hasData: size > 0, changedAt: Math.max(mtimeMs, log?.mtimeMs ?? 0) }
      if (newest === undefined || compare(one, newest) > 0) newest = one
    }
    return newest?.name
  }

  async #isWritable(): Promise<boolean> {
    try {
      await access(this.path, constants.W_OK | constants.X_OK)
      return true
    } catch (error) {
      if (failureKind(error) === 'readOnly') return false
      throw error
    }
  }

  /**
   * Checks the files that SQLite opens. It would follow a symbolic link, and the opening of a pipe would block the
   * event loop for ever.
   */
  async #checkIndexFiles(name: string): Promise<void> {
    const path = this.file(name)
    const kind = await kindOf(path)
    if (kind === 'link') throw isLink(path)
    if (kind === 'other') throw damage(`${path} is no regular file`)
    for (const suffix of besideIndex) await this.#moveAsideUnlessFile(name + suffix)
    // SQLite deletes the log of an empty index. With one page, it reads all pages that are in the log.
    const [index, log] = await Promise.all([stat(path), stat(`${path}-wal`).catch(() => undefined)])
    if (index.size === 0 && (log?.size ?? 0) > 0) {
      this.#reportDamage(`the index ${name} was empty; only the items in its log are left`)
      await truncate(path, pageBytes)
    }
  }

  /** Renames a pipe, a socket or a directory in the place of a file. Throws `UNAVAILABLE` for a symbolic link. */
  async #moveAsideUnlessFile(name: string): Promise<void> {
    const path = this.file(name)
    const kind = await kindOf(path)
    if (kind === 'link') throw isLink(path)
    if (kind !== 'other') return
    const to = this.file(`broken-${randomBytes(4).toString('hex')}-${name}`)
    await rename(path, to)
    this.#reportDamage(`${path} was no regular file, so it was renamed to ${to}`)
  }

  #reportDamage(message: string): void {
    this.#report(damage(message), 'open')
  }
}

type Candidate = { readonly hasData: boolean; readonly changedAt: number }

function compare(one: Candidate, other: Candidate): number {
  return Number(one.hasData) - Number(other.hasData) || one.changedAt - other.changedAt
}

/** What is at the path: nothing, a regular file, a symbolic link, or something else. */
async function kindOf(path: string): Promise<'none' | 'file' | 'link' | 'other'> {
  try {
    const found = await lstat(path)
    return found.isFile() ? 'file' : found.isSymbolicLink() ? 'link' : 'other'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'none'
    throw error
  }
}

async function exists(path: string): Promise<boolean> {
  return (await kindOf(path)) !== 'none'
}

function damage(message: string): CacheError {
  return new CacheError('DAMAGED', message, { backend: 'file', operation: 'open' })
}

function isLink(path: string): CacheError {
  return unavailable(`${path} is a symbolic link, which could lead out of the directory`)
}

function unavailable(message: string): CacheError {
  return new CacheError('UNAVAILABLE', message, { backend: 'file', operation: 'open' })
}
