import { randomBytes } from 'node:crypto'
import { constants, statSync } from 'node:fs'
import { access, chmod, link, lstat, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { CacheError } from '@cache/core/backend'
import type { BackgroundThread } from '../background/background-thread.ts'
import { failureKind } from '../errors.ts'
import { createSchema, hasSchema, pageBytes, schemaVersion, storedSchemaVersion, takesLong } from '../index/schema.ts'
import { type Database, openDatabase } from '../index/sqlite.ts'
import type { Settings } from '../options.ts'
import { setExactMode, syncDirectory } from '../values/file-io.ts'
import { type FileSystem, fileSystemOf } from './file-system.ts'

/** The first number is the version of the schema. */
const indexName = /^index-(\d{1,6})-[0-9a-f]{8}\.sqlite$/

/** An open connection to the index. */
export interface OpenedDatabase {
  readonly database: Database
  readonly name: string
  /** Whether the directory is read-only. */
  readonly readOnly: boolean
}

/**
 * The files of the cache directory:
 *
 *     current                   the name of the index in use
 *     index-1-1f0c93ab.sqlite   the index, with the -wal and -shm files of SQLite beside it
 *     values/3f/3f9a…           large values
 *     broken-1-1f0c93ab.sqlite  the last damaged index
 *
 * An index never gets the name of an earlier one. A process that still has a removed index open deletes the -wal file
 * of its name when it closes. With one fixed name, it would delete the new index's log (sqlite.org/howtocorrupt.html,
 * 4.1 to 4.4). `current` is replaced by renaming, and every process checks it before each transaction.
 */
export class CacheDirectory {
  readonly #settings: Settings
  readonly #background: BackgroundThread
  readonly path: string
  /** Inode and time of `current` at its last read. */
  #currentStamp = ''
  /** The path of a log that must not exist while the index is open as immutable; empty otherwise. */
  #absentLog = ''
  /** The topmost directory that `prepare` created. */
  #topCreated: string | undefined

  constructor(settings: Settings, background: BackgroundThread) {
    this.#settings = settings
    this.#background = background
    this.path = resolve(settings.dir)
  }

  file(name: string): string {
    return join(this.path, this.#settings.filePrefix + name)
  }

  get valuesDir(): string {
    return this.file('values')
  }

  get #current(): string {
    return this.file('current')
  }

  /** Whether `current` has not changed since its last read. It takes 1.5 µs, so every write can ask it. */
  isCurrent(): boolean {
    try {
      if (stampOf(statSync(this.#current)) !== this.#currentStamp) return false
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
    const readOnly = !(await this.#isWritable())
    this.#absentLog = ''
    const name = readOnly ? await this.currentName() : await this.#findOrCreateCurrent()
    if (Number(indexName.exec(name ?? '')?.[1]) > schemaVersion) {
      const message = `a later version of @cache/file wrote ${this.path}; update the package or use another directory`
      throw new CacheError('UNSUPPORTED', message, { backend: 'file', operation: 'open' })
    }
    if (name === undefined) {
      const message = `${this.path} is read-only and contains no cache`
      throw new CacheError('READ_ONLY', message, { backend: 'file', operation: 'open' })
    }
    if (!readOnly) await this.createIndexFile(name)
    await this.refuseLink(this.file(name))
    const database = await this.#openDatabase(name, readOnly)
    return { database, name, readOnly }
  }

  /** Makes `name` the index in use. */
  async switchTo(name: string): Promise<void> {
    const temporary = await this.#writeName(name)
    await rename(temporary, this.#current)
  }

  /** A name that no earlier index had. */
  newIndexName(): string {
    return `index-${schemaVersion}-${randomBytes(4).toString('hex')}.sqlite`
  }

  /** The name of the index in use; `undefined` when the file `current` is missing or unreadable. */
  async currentName(): Promise<string | undefined> {
    try {
      const file = await open(this.#current, constants.O_RDONLY | constants.O_NOFOLLOW)
      try {
        const stamp = stampOf(await file.stat())
        const name = (await file.readFile('latin1')).trim()
        if (!indexName.test(name)) return undefined
        this.#currentStamp = stamp
        return name
      } finally {
        await file.close()
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
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
      const file = await open(path, 'wx', this.#settings.fileMode)
      await setExactMode(file, this.#settings.fileMode)
      await file.close()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }

  async #findOrCreateCurrent(): Promise<string> {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const name = await this.currentName()
      if (name !== undefined) return name
      await this.#createCurrent()
    }
    throw unavailable(`${this.#current} cannot be read`)
  }

  /** Creates `current` unless another process does so first. */
  async #createCurrent(): Promise<void> {
    const temporary = await this.#writeName((await this.#newestIndex()) ?? this.newIndexName())
    try {
      // Unlike a rename, a link never replaces a file that another process has just created.
      await link(temporary, this.#current)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST') throw error
      if ((await lstat(this.#current)).isFile() && (await this.currentName()) === undefined) {
        // The existing file is unreadable.
        await rename(temporary, this.#current)
        return
      }
      await this.refuseLink(this.#current)
    } finally {
      await unlink(temporary).catch(() => undefined)
    }
  }

  /** The index with the latest change. It becomes the current one when the file `current` is lost. */
  async #newestIndex(): Promise<string | undefined> {
    let newest: { name: string; changedAt: number } | undefined
    for (const entry of await readdir(this.path, { withFileTypes: true })) {
      const name = entry.name.slice(this.#settings.filePrefix.length)
      if (!entry.isFile() || !entry.name.startsWith(this.#settings.filePrefix) || !indexName.test(name)) continue
      const { mtimeMs } = await stat(this.file(name))
      if (newest === undefined || mtimeMs > newest.changedAt) newest = { name, changedAt: mtimeMs }
    }
    return newest?.name
  }

  async #writeName(name: string): Promise<string> {
    const temporary = `${this.#current}.${randomBytes(6).toString('hex')}.tmp`
    const file = await open(temporary, 'wx', this.#settings.fileMode)
    try {
      await setExactMode(file, this.#settings.fileMode)
      await file.writeFile(`${name}\n`)
      await file.datasync()
    } finally {
      await file.close()
    }
    return temporary
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

  /** Throws `UNAVAILABLE` when the path is a symbolic link. */
  async refuseLink(path: string): Promise<void> {
    if ((await lstat(path)).isSymbolicLink()) {
      throw unavailable(`${path} is a symbolic link, which could lead out of the directory`)
    }
  }

  async #openDatabase(name: string, readOnly: boolean): Promise<Database> {
    return readOnly ? this.#openForReading(name) : this.#openForWriting(name)
  }

  async #openForWriting(name: string): Promise<Database> {
    const { engine, policy, lockTimeout } = this.#settings
    const database = await openDatabase(this.file(name), engine)
    try {
      await retryWhileBusy(lockTimeout, () => database.exec(connectionPragmas))
      await retryWhileBusy(lockTimeout, () =>
        hasSchema(database, policy) || !takesLong(database)
          ? prepareForWriting(database, policy)
          : this.#background.run({ kind: 'policy', path: this.file(name), engine, policy }),
      )
      return database
    } catch (error) {
      database.close()
      throw error
    }
  }

  /**
   * SQLite reads a log only with a -shm file beside it. When the last writer has closed and removed both, the index is
   * opened as immutable. As soon as a process writes, `isCurrent` finds a log.
   */
  async #openForReading(name: string): Promise<Database> {
    const path = this.file(name)
    this.#absentLog = await stat(`${path}-wal`).then(
      () => '',
      () => `${path}-wal`,
    )
    const database = await openDatabase(path, this.#settings.engine, {
      readOnly: true,
      immutable: this.#absentLog !== '',
    })
    try {
      database.exec('pragma busy_timeout = 0; pragma mmap_size = 0; pragma trusted_schema = off')
      storedSchemaVersion(database)
      return database
    } catch (error) {
      database.close()
      throw error
    }
  }
}

/**
 * Without mmap, because a truncated file would end the process. Without automatic checkpoints, because `Checkpointer`
 * runs them.
 */
const connectionPragmas = `
pragma busy_timeout = 0;
pragma synchronous = normal;
pragma wal_autocheckpoint = 0;
pragma journal_size_limit = 33554432;
pragma cache_size = -16000;
pragma temp_store = memory;
pragma mmap_size = 0;
pragma cell_size_check = on;
pragma trusted_schema = off;
pragma recursive_triggers = on;
`

function prepareForWriting(database: Database, policy: Settings['policy']): void {
  if (hasSchema(database, policy)) return
  // These pragmas have an effect only on an empty file.
  database.exec(`pragma page_size = ${pageBytes}; pragma auto_vacuum = incremental`)
  database.exec('pragma journal_mode = wal')
  database.exec('begin immediate')
  try {
    createSchema(database, policy)
    database.exec('commit')
  } catch (error) {
    database.exec('rollback')
    throw error
  }
}

/** Repeats `work` while other processes hold the locks, without blocking the event loop. */
async function retryWhileBusy(timeout: number, work: () => unknown): Promise<void> {
  const start = performance.now()
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      if (failureKind(error) !== 'busy' || performance.now() - start > timeout) throw error
    }
    await wait(1 + Math.random() * 8)
  }
}

function stampOf(stats: { readonly ino: number; readonly mtimeMs: number }): string {
  return `${stats.ino}:${stats.mtimeMs}`
}

function unavailable(message: string): CacheError {
  return new CacheError('UNAVAILABLE', message, { backend: 'file', operation: 'open' })
}
