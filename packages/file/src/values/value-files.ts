import { randomBytes } from 'node:crypto'
import { chmod, type FileHandle, lstat, mkdir, opendir, rename, rmdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CacheError, cacheErrorCode } from '@cache/core/backend'
import { readStart, setExactMode, syncDirectory, syncFile, writeAll } from '../disk/file-io.ts'
import { withFileSlot } from '../disk/file-slots.ts'
import { openFile } from '../disk/open-file.ts'
import { notRegular, openRegularFile } from '../disk/open-regular-file.ts'
import { concernsOneFile } from '../errors.ts'
import type { Settings } from '../options.ts'

const namePattern = /^[0-9a-f]{32}$/
const temporarySuffix = '.tmp'
/** Names that are tried for a new file. */
const maxNames = 8

/** Bytes of a frame besides its value: the header, in which tags take the most. */
const maxHeaderBytes = 64 * 1024 * 1024

/** The longest possible file of a value: an uncompressed value and its header. */
function maxFileBytes(maxDecodedBytes: number): number {
  return Math.min(maxDecodedBytes + maxHeaderBytes, 2 ** 31 - 1)
}

/** A file in the value directories. */
export interface FoundFile {
  readonly path: string
  /** The name in the index; `undefined` for a file that no row can name, such as a temporary one. */
  readonly name: string | undefined
  readonly bytes: number
  readonly changedAt: number
}

/**
 * Large values, each in its own file. Names are random and never used twice. A file is written under a temporary name
 * and then renamed, so a name in the index leads to a whole file or to none (RACES R28). Keys never become names.
 */
export class ValueFiles {
  readonly dir: string
  readonly #settings: Settings
  /** Paths known to be directories, not symbolic links. */
  readonly #checked = new Set<string>()
  /** Those that this process has also made safe against a loss of power, where `durability` asks for it. */
  readonly #prepared = new Set<string>()
  #bytesWritten = 0
  /** Files that are not yet safe against a loss of power. */
  readonly #unsynced = new Set<string>()

  constructor(dir: string, settings: Settings) {
    this.dir = dir
    this.#settings = settings
  }

  /** Forgets the checked directories, because the cache directory may have been removed or replaced. */
  forget(): void {
    this.#checked.clear()
    this.#prepared.clear()
  }

  /** Writes a new file; resolves to its name. A failure leaves no file. */
  write(bytes: Uint8Array): Promise<string> {
    return withFileSlot(() => this.create((file) => writeAll(file, bytes)))
  }

  /** Creates a new file whose content `fill` writes; resolves to its name. A failure leaves no file. */
  async create(fill: (file: FileHandle) => Promise<void>): Promise<string> {
    const { name, file } = await this.#openNew()
    const shard = join(this.dir, name.slice(0, 2))
    const path = join(shard, name)
    const temporary = path + temporarySuffix
    try {
      try {
        await setExactMode(file, this.#settings.fileMode)
        await fill(file)
        this.#bytesWritten += (await file.stat()).size
        if (this.#settings.durability === 'full') await file.datasync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
      if (this.#settings.durability === 'full') await syncDirectory(shard)
      else this.#unsynced.add(name)
      return name
    } catch (error) {
      await unlink(temporary).catch(() => undefined)
      throw error
    }
  }

  /** Bytes of files written since the last call. */
  takeBytesWritten(): number {
    const bytes = this.#bytesWritten
    this.#bytesWritten = 0
    return bytes
  }

  /** The whole file, or `undefined` when it does not exist. */
  read(name: string): Promise<Buffer | undefined> {
    return withFileSlot(() => this.#read(name))
  }

  async #read(name: string): Promise<Buffer | undefined> {
    const file = await this.open(name)
    if (file === undefined) return undefined
    try {
      const { size } = await file.stat()
      // Memory for a file that has grown must not be allocated, and Node aborts the process at a read of 2 GiB or more.
      if (size > maxFileBytes(this.#settings.format.maxDecodedBytes)) {
        throw new CacheError('DAMAGED', 'its value file is longer than any value', { backend: 'file' })
      }
      return await readStart(file, size)
    } finally {
      await file.close()
    }
  }

  /** Opens the file for reading; resolves to `undefined` when it does not exist. See `openRegularFile`. */
  async open(name: string): Promise<FileHandle | undefined> {
    const path = await this.#pathOf(name)
    try {
      return await openRegularFile(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Makes all files written before safe against a loss of power. With durability `'full'` they already are. */
  async sync(): Promise<void> {
    const names = [...this.#unsynced]
    this.#unsynced.clear()
    try {
      const shards = new Set<string>()
      for (const name of names) {
        const shard = join(this.dir, name.slice(0, 2))
        if (await unlessLost(() => syncFile(join(shard, name)))) shards.add(shard)
      }
      if (shards.size > 0) shards.add(this.dir)
      for (const dir of shards) await unlessLost(() => syncDirectory(dir))
    } catch (error) {
      for (const name of names) this.#unsynced.add(name)
      throw error
    }
  }

  /** Removes the file if it exists. */
  async remove(name: string): Promise<void> {
    this.#unsynced.delete(name)
    let path: string
    try {
      path = await this.#pathOf(name)
    } catch (error) {
      // The index has no valid name, or the directory of the file is lost. In both cases no file is left.
      if (cacheErrorCode(error) === 'DAMAGED' || concernsOneFile(error)) return
      throw error
    }
    await unlinkIfPresent(path)
  }

  async removeFound(file: FoundFile): Promise<void> {
    await unlinkIfPresent(file.path)
  }

  /** Every file in the value directories. Symbolic links are not followed, because a listed file may be removed. */
  async *list(): AsyncGenerator<FoundFile> {
    if (!(await this.#isDirectory())) return
    for await (const shard of entriesOf(this.dir)) {
      if (!shard.isDirectory()) {
        if (!shard.isSymbolicLink()) yield* this.#found(this.dir, shard.name)
        continue
      }
      const dir = join(this.dir, shard.name)
      for await (const entry of entriesOf(dir)) {
        if (!entry.isDirectory() && !entry.isSymbolicLink()) yield* this.#found(dir, entry.name)
      }
    }
  }

  async #isDirectory(): Promise<boolean> {
    const found = await lstat(this.dir).catch(() => undefined)
    return found?.isDirectory() ?? false
  }

  async *#found(dir: string, fileName: string): AsyncGenerator<FoundFile> {
    const path = join(dir, fileName)
    const stat = await lstat(path).catch(() => undefined)
    if (stat === undefined) return
    const name = namePattern.test(fileName) ? fileName : undefined
    yield { path, name, bytes: stat.size, changedAt: stat.mtimeMs }
  }

  /** Opens a new file with a temporary name, in the directory of its name. */
  async #openNew(): Promise<{ readonly name: string; readonly file: FileHandle }> {
    for (let attempt = 1; ; attempt += 1) {
      const name = randomBytes(16).toString('hex')
      const shard = join(this.dir, name.slice(0, 2))
      await this.#prepare(this.dir)
      try {
        await this.#prepare(shard)
        const file = await openFile(join(shard, name + temporarySuffix), 'wx', this.#settings.fileMode)
        return { name, file }
      } catch (error) {
        // The directory was removed after the check, or something else is in its place. Most names have another one.
        const { code } = error as NodeJS.ErrnoException
        if ((code !== 'UNAVAILABLE' && code !== 'ENOENT' && code !== 'ENOTDIR') || attempt === maxNames) throw error
        this.forget()
      }
    }
  }

  /**
   * The path of an existing file. Throws `UNAVAILABLE` when `values` is no directory, and the code `EFTYPE` when only
   * the directory of this file is none. A symbolic link is none, because it could lead to another place.
   */
  async #pathOf(name: string): Promise<string> {
    // Damage or another program may have changed the name in the index.
    if (!namePattern.test(name))
      throw new CacheError('DAMAGED', 'the index has no valid name of a value file', { backend: 'file' })
    if (!(await this.#isDirectoryOrAbsent(this.dir))) throw refused(this.dir)
    const shard = join(this.dir, name.slice(0, 2))
    if (!(await this.#isDirectoryOrAbsent(shard))) throw notRegular(join(shard, name))
    return join(shard, name)
  }

  async #isDirectoryOrAbsent(path: string): Promise<boolean> {
    if (this.#checked.has(path)) return true
    try {
      if (!(await lstat(path)).isDirectory()) return false
      this.#checked.add(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    return true
  }

  /** Creates the directory, or checks that the existing one is no symbolic link. Throws `UNAVAILABLE`. */
  async #prepare(path: string): Promise<void> {
    if (this.#prepared.has(path)) return
    try {
      await mkdir(path, { mode: this.#settings.dirMode })
      await chmod(path, this.#settings.dirMode)
    } catch (error) {
      const stat = await lstat(path).catch(() => undefined)
      if (stat === undefined) throw error
      if (!stat.isDirectory()) throw refused(path)
    }
    // An existing directory too: the process that created it may have died before its sync.
    if (this.#settings.durability === 'full') await syncDirectory(dirname(path))
    this.#prepared.add(path)
  }
}

/** Removes the file. An empty directory in its place is removed too, and any other one stays. */
async function unlinkIfPresent(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return
    const found = await lstat(path).catch(() => undefined)
    if (found?.isDirectory() !== true) throw error
    await rmdir(path).catch(() => undefined)
  }
}

/** Failures of a path that leads to nothing, or to something other than this package put there. */
const lostCodes: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'EFTYPE', 'ELOOP', 'EISDIR']

/** Runs `work`; resolves to whether its file existed and was none that another program put in its place. */
async function unlessLost(work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if (!lostCodes.includes((error as NodeJS.ErrnoException).code)) throw error
    return false
  }
}

async function* entriesOf(dir: string): AsyncGenerator<import('node:fs').Dirent> {
  try {
    for await (const entry of await opendir(dir)) yield entry
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function refused(path: string): CacheError {
  return new CacheError('UNAVAILABLE', `${path} is not a directory`, { backend: 'file' })
}
