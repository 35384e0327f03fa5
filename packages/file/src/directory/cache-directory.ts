import { randomBytes } from 'node:crypto'
import { constants, statSync } from 'node:fs'
import { access, chmod, link, lstat, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { CacheError } from '@cache/core/backend'
import type { Background } from '../background/background-thread.ts'
import { failureKind } from '../errors.ts'
import { createSchema, hasSchema, pageBytes, schemaVersion, storedSchemaVersion, takesLong } from '../index/schema.ts'
import { type Database, openDatabase } from '../index/sqlite.ts'
import type { Settings } from '../options.ts'
import { makeExact, syncDirectory } from '../values/value-files.ts'
import { type FileSystem, fileSystemOf } from './file-system.ts'

/** The number is the version of the schema. */
const indexName = /^index-(\d{1,6})-[0-9a-f]{8}\.sqlite$/

/** An index that was opened. */
export interface OpenedDatabase {
  readonly database: Database
  readonly name: string
  /** The directory cannot be written to. */
  readonly readOnly: boolean
}

/**
 * Where everything lies in the directory:
 *
 *     current                the name of the index in use
 *     index-1-1f0c93ab.sqlite  the index, with the -wal and -shm files of SQLite beside it
 *     values/3f/3f9a…        large values
 *     broken-1-1f0c93ab.sqlite the last index that was found damaged
 *
 * An index never gets the name of an earlier one. A process that still holds a removed or replaced index deletes the
 * -wal file of that name when it closes; with one fixed name that would be the new index's
 * (sqlite.org/howtocorrupt.html, 4.1 to 4.4). `current` is replaced by renaming, and everybody looks at it before each
 * transaction.
 */
export class StoreDirectory {
  readonly #settings: Settings
  readonly #background: Background
  readonly path: string
  /** Inode and time of `current` when it was last read. */
  #seen = ''
  /** Path of the log that must not appear while the index is read as immutable. */
  #immutable = ''
  /** The topmost directory that `prepare` made. */
  #made: string | undefined

  constructor(settings: Settings, background: Background) {
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

  /** Whether `current` is still the file that was read. A microsecond and a half, so it is asked before every write. */
  isCurrent(): boolean {
    try {
      if (stampOf(statSync(this.#current)) !== this.#seen) return false
      return this.#immutable === '' || statSync(this.#immutable, { throwIfNoEntry: false }) === undefined
    } catch {
      return false
    }
  }

  /** Makes the directory where it is missing; resolves to the file system under it. */
  async prepare(): Promise<FileSystem> {
    const { dirMode } = this.#settings
    const made = await mkdir(this.path, { recursive: true, mode: dirMode })
    if (made !== undefined) {
      this.#made = made
      await chmod(this.path, dirMode)
    }
    if (!(await stat(this.path)).isDirectory()) throw unavailable(`${this.path} is not a directory`)
    const fileSystem = await fileSystemOf(this.path)
    if (fileSystem.kind === 'network' && this.#settings.networkFileSystem === 'refuse') {
      throw new CacheError(
        'UNSUPPORTED',
        `${this.path} is on ${fileSystem.name}, shared over a network, where the locks of SQLite cannot be relied on; use a local directory, or the option networkFileSystem: 'warn'`,
        { backend: 'file', operation: 'open' },
      )
    }
    return fileSystem
  }

  /** Makes the names of the index and of the directories above it safe against a loss of power. */
  async sync(): Promise<void> {
    await syncDirectory(this.path)
    const top = this.#made ?? this.path
    for (let made = this.path; made.length >= top.length; made = dirname(made)) {
      // The parent may be another user's, and only lend its room.
      await syncDirectory(dirname(made)).catch((error: unknown) => {
        if (failureKind(error) !== 'readOnly') throw error
      })
      if (made === dirname(made)) break
    }
    this.#made = undefined
  }

  /** Opens the current index, making what is missing. Waits for other processes that do the same (RACES R37). */
  async open(): Promise<OpenedDatabase> {
    const readOnly = !(await this.#writable())
    this.#immutable = ''
    const name = readOnly ? await this.#readCurrent() : await this.#findOrMakeCurrent()
    if (Number(indexName.exec(name ?? '')?.[1]) > schemaVersion) {
      throw new CacheError('UNSUPPORTED', `A later version of @cache/file wrote ${this.path}`, {
        backend: 'file',
        operation: 'open',
      })
    }
    if (name === undefined) {
      throw new CacheError('READ_ONLY', `${this.path} cannot be written to, and no cache is there`, {
        backend: 'file',
        operation: 'open',
      })
    }
    if (!readOnly) await this.makeIndexFile(name)
    await this.refuseLink(this.file(name))
    const database = await this.#openDatabase(name, readOnly)
    return { database, name, readOnly }
  }

  /** Makes `name` the index in use, instead of any other. */
  async switchTo(name: string): Promise<void> {
    const temporary = await this.#writeName(name)
    await rename(temporary, this.#current)
  }

  /** A name that no index had before. */
  newIndexName(): string {
    return `index-${schemaVersion}-${randomBytes(4).toString('hex')}.sqlite`
  }

  /** The name of the index in use; `undefined` where there is none or the file says nothing readable. */
  async #readCurrent(): Promise<string | undefined> {
    try {
      const file = await open(this.#current, constants.O_RDONLY | constants.O_NOFOLLOW)
      try {
        const stamp = stampOf(await file.stat())
        const name = (await file.readFile('latin1')).trim()
        if (!indexName.test(name)) return undefined
        this.#seen = stamp
        return name
      } finally {
        await file.close()
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** The files of other indexes of this version than the one named, and whatever SQLite left beside them. */
  async otherIndexFiles(name: string): Promise<string[]> {
    const own = this.file(`index-${schemaVersion}-`)
    const paths = (await readdir(this.path)).map((entry) => join(this.path, entry))
    return paths.filter((path) => path.startsWith(own) && !path.startsWith(this.file(name)))
  }

  async currentName(): Promise<string | undefined> {
    return this.#readCurrent()
  }

  /** Creates an empty index file with the right permissions, which SQLite then gives to its other files too. */
  async makeIndexFile(name: string): Promise<void> {
    const path = this.file(name)
    try {
      // Never opened when it is there: closing a file releases every POSIX lock that this process has on it.
      const file = await open(path, 'wx', this.#settings.fileMode)
      await makeExact(file, this.#settings.fileMode)
      await file.close()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }

  async #findOrMakeCurrent(): Promise<string> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const name = await this.#readCurrent()
      if (name !== undefined) return name
      await this.#makeCurrent()
    }
    throw unavailable(`${this.#current} cannot be read`)
  }

  /** Writes `current` unless another process was faster. */
  async #makeCurrent(): Promise<void> {
    const temporary = await this.#writeName((await this.#newestIndex()) ?? this.newIndexName())
    try {
      // Unlike a rename, a link never replaces what another process put there meanwhile.
      await link(temporary, this.#current)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST') throw error
      if ((await lstat(this.#current)).isFile() && (await this.#readCurrent()) === undefined) {
        // It is there and says nothing readable.
        await rename(temporary, this.#current)
        return
      }
      await this.refuseLink(this.#current)
    } finally {
      await unlink(temporary).catch(() => undefined)
    }
  }

  /** `current` was lost, but an index is there. */
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
      await makeExact(file, this.#settings.fileMode)
      await file.writeFile(`${name}\n`)
      await file.datasync()
    } finally {
      await file.close()
    }
    return temporary
  }

  async #writable(): Promise<boolean> {
    try {
      await access(this.path, constants.W_OK | constants.X_OK)
      return true
    } catch (error) {
      if (failureKind(error) === 'readOnly') return false
      throw error
    }
  }

  /** Throws `UNAVAILABLE` where a symbolic link stands in the place of a file. */
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
   * A log can be read only with a -shm file beside it. Where the last writer closed and took both away, nothing is in the
   * log, and the index is read as a file that nobody changes; when somebody does, `isCurrent` finds a log.
   */
  async #openForReading(name: string): Promise<Database> {
    const path = this.file(name)
    this.#immutable = await stat(`${path}-wal`).then(
      () => '',
      () => `${path}-wal`,
    )
    const database = await openDatabase(path, this.#settings.engine, {
      readOnly: true,
      immutable: this.#immutable !== '',
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

/** No mmap: a file that is cut off underneath would end the process. No automatic checkpoint: `Checkpointer` does that elsewhere. */
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
  // Have an effect only before anything is in the file.
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

/** Tries again while other processes hold the locks, without blocking the event loop. */
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
