import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, type FileHandle, lstat, mkdir, open, opendir, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CacheError } from '@cache/core/backend'
import type { Settings } from '../options.ts'

const namePattern = /^[0-9a-f]{32}$/
const temporarySuffix = '.tmp'

/** The longest frame: a value that is not compressed, and room for its header, in which tags take the most. */
function longestFile(maxDecodedBytes: number): number {
  return Math.min(maxDecodedBytes + headerRoom, 2 ** 31 - 1)
}

const headerRoom = 64 * 1024 * 1024

/** A file that the sweep of a value directory met. */
export interface FoundFile {
  readonly path: string
  /** The name by which a row may know it; absent for a temporary file. */
  readonly name: string | undefined
  readonly bytes: number
  readonly changedAt: number
}

/**
 * Large values, each in a file of its own. Names are random and never used twice, and a file is written under a temporary
 * name and renamed, so whoever finds a name in the index finds a whole file or none (RACES R28). Keys never become names.
 */
export class ValueFiles {
  readonly dir: string
  readonly #settings: Settings
  /** Directories that were found to be directories and no symbolic links. */
  readonly #checked = new Set<string>()
  /** Files that a loss of power may still take. */
  readonly #unsynced = new Set<string>()

  constructor(dir: string, settings: Settings) {
    this.dir = dir
    this.#settings = settings
  }

  /** Forgets what was seen of the directory, which may have been removed or replaced. */
  forget(): void {
    this.#checked.clear()
  }

  /** Writes a new file; resolves to its name. Nothing is left when it rejects. */
  async write(bytes: Uint8Array): Promise<string> {
    return this.create((file) => writeAll(file, bytes))
  }

  /** A new file with what `fill` writes; resolves to its name. Nothing is left when it rejects. */
  async create(fill: (file: FileHandle) => Promise<void>): Promise<string> {
    const name = randomBytes(16).toString('hex')
    const shard = await this.#shard(name)
    const path = join(shard, name)
    const temporary = path + temporarySuffix
    const file = await this.#openNew(shard, temporary)
    try {
      try {
        await makeExact(file, this.#settings.fileMode)
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

  /** The whole file, or `undefined` when it is not there. */
  async read(name: string): Promise<Buffer | undefined> {
    const file = await this.open(name)
    if (file === undefined) return undefined
    try {
      const { size } = await file.stat()
      // A file that grew must not be allocated, and Node aborts the process for a read of 2 GiB or more.
      if (size > longestFile(this.#settings.format.maxDecodedBytes)) {
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

  /** Opens the file for reading; resolves to `undefined` when it is not there. Symbolic links are not followed. */
  async open(name: string): Promise<FileHandle | undefined> {
    const path = join(await this.#shard(name), name)
    try {
      return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Makes the files that were written before safe against a loss of power. With durability `'full'` they are already. */
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

  /** Removes the file, which may be gone already. */
  async remove(name: string): Promise<void> {
    this.#unsynced.delete(name)
    await this.#unlink(join(await this.#shard(name), name))
  }

  async removeFound(file: FoundFile): Promise<void> {
    await this.#unlink(file.path)
  }

  /** Every file in the value directories, whoever put it there. Symbolic links are not followed: what is listed may be removed. */
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
      // The directory was removed underneath since it was checked: made again, once.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      this.forget()
      await this.#directory(this.dir)
      await this.#directory(shard)
      return await open(path, 'wx', this.#settings.fileMode)
    }
  }

  async #shard(name: string): Promise<string> {
    // The name comes from the index, which anybody who may write to the directory may have changed.
    if (!namePattern.test(name)) throw new CacheError('DAMAGED', 'The index names no value file', { backend: 'file' })
    const shard = join(this.dir, name.slice(0, 2))
    if (!this.#checked.has(shard)) {
      await this.#directory(this.dir)
      await this.#directory(shard)
    }
    return shard
  }

  /** Makes the directory, or checks that what is there is one: a symbolic link could lead out. */
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
    // Also where it was there: whoever made it may have died before this.
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

/**
 * Gives a new file its mode, of which the umask may have taken something. Only where it did: Node's permission model knows
 * no `fchmod`.
 */
export async function makeExact(file: FileHandle, mode: number): Promise<void> {
  if (((await file.stat()).mode & 0o777) !== mode) await file.chmod(mode)
}

/** Makes the names in a directory safe against a loss of power. */
export async function syncDirectory(dir: string): Promise<void> {
  // Windows opens no directories as files, and its file system keeps a journal of names.
  if (process.platform === 'win32') return
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncFile(path: string): Promise<void> {
  // For writing, without which Windows syncs nothing.
  const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    await handle.datasync()
  } finally {
    await handle.close()
  }
}

/** Whether what `work` looks for was there. */
async function unlessGone(work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return false
  }
}

export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let offset = 0
  while (offset < bytes.length) {
    const { bytesWritten } = await file.write(bytes, offset, bytes.length - offset)
    offset += bytesWritten
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
