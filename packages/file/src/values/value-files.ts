import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, type FileHandle, lstat, mkdir, open, opendir, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CacheError } from '@cache/core/backend'
import type { Settings } from '../options.ts'
import { setExactMode, syncDirectory, syncFile, writeAll } from './file-io.ts'

const namePattern = /^[0-9a-f]{32}$/
const temporarySuffix = '.tmp'

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
  /** Files that are not yet safe against a loss of power. */
  readonly #unsynced = new Set<string>()

  constructor(dir: string, settings: Settings) {
    this.dir = dir
    this.#settings = settings
  }

  /** Forgets the checked directories, because the cache directory may have been removed or replaced. */
  forget(): void {
    this.#checked.clear()
  }

  /** Writes a new file; resolves to its name. A failure leaves no file. */
  async write(bytes: Uint8Array): Promise<string> {
    return this.create((file) => writeAll(file, bytes))
  }

  /** Creates a new file whose content `fill` writes; resolves to its name. A failure leaves no file. */
  async create(fill: (file: FileHandle) => Promise<void>): Promise<string> {
    const name = randomBytes(16).toString('hex')
    const shard = await this.#shard(name)
    const path = join(shard, name)
    const temporary = path + temporarySuffix
    const file = await this.#openNew(shard, temporary)
    try {
      try {
        await setExactMode(file, this.#settings.fileMode)
        await fill(file)
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

  /** The whole file, or `undefined` when it does not exist. */
  async read(name: string): Promise<Buffer | undefined> {
    const file = await this.open(name)
    if (file === undefined) return undefined
    try {
      const { size } = await file.stat()
      // Memory for a file that has grown must not be allocated, and Node aborts the process at a read of 2 GiB or more.
      if (size > maxFileBytes(this.#settings.format.maxDecodedBytes)) {
        throw new CacheError('DAMAGED', 'its value file is longer than any value', { backend: 'file' })
      }
      const bytes = Buffer.allocUnsafeSlow(size)
      let offset = 0
      while (offset < size) {
        const { bytesRead } = await file.read(bytes, offset, size - offset, offset)
        if (bytesRead === 0) break
        offset += bytesRead
      }
      return bytes.subarray(0, offset)
    } finally {
      await file.close()
    }
  }

  /** Opens the file for reading, without following symbolic links; resolves to `undefined` when it does not exist. */
  async open(name: string): Promise<FileHandle | undefined> {
    const path = join(await this.#shard(name), name)
    try {
      return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
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
        if (await unlessGone(() => syncFile(join(shard, name)))) shards.add(shard)
      }
      if (shards.size > 0) shards.add(this.dir)
      for (const dir of shards) await unlessGone(() => syncDirectory(dir))
    } catch (error) {
      for (const name of names) this.#unsynced.add(name)
      throw error
    }
  }

  /** Removes the file if it exists. */
  async remove(name: string): Promise<void> {
    this.#unsynced.delete(name)
    await this.#unlink(join(await this.#shard(name), name))
  }

  async removeFound(file: FoundFile): Promise<void> {
    await this.#unlink(file.path)
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
      for await (const entry of entriesOf(dir)) if (entry.isFile()) yield* this.#found(dir, entry.name)
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

  async #openNew(shard: string, path: string): Promise<FileHandle> {
    try {
      return await open(path, 'wx', this.#settings.fileMode)
    } catch (error) {
      // The directory was removed after the check. One attempt to create it again.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      this.forget()
      await this.#directory(this.dir)
      await this.#directory(shard)
      return await open(path, 'wx', this.#settings.fileMode)
    }
  }

  async #shard(name: string): Promise<string> {
    // Damage or another program may have changed the name in the index.
    if (!namePattern.test(name))
      throw new CacheError('DAMAGED', 'the index has no valid name of a value file', { backend: 'file' })
    const shard = join(this.dir, name.slice(0, 2))
    if (!this.#checked.has(shard)) {
      await this.#directory(this.dir)
      await this.#directory(shard)
    }
    return shard
  }

  /** Creates the directory, or checks that the existing one is no symbolic link, which could lead to another place. */
  async #directory(path: string): Promise<void> {
    if (this.#checked.has(path)) return
    try {
      await mkdir(path, { mode: this.#settings.dirMode })
      await chmod(path, this.#settings.dirMode)
    } catch (error) {
      const stat = await lstat(path).catch(() => undefined)
      if (stat === undefined) throw error
      if (!stat.isDirectory()) throw refused(`${path} is not a directory`)
    }
    // An existing directory too: the process that created it may have died before its sync.
    if (this.#settings.durability === 'full') await syncDirectory(dirname(path))
    this.#checked.add(path)
  }

  async #unlink(path: string): Promise<void> {
    try {
      await unlink(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}

/** Runs `work`; resolves to whether its file existed. */
async function unlessGone(work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
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

function refused(message: string): CacheError {
  return new CacheError('UNAVAILABLE', message, { backend: 'file' })
}
