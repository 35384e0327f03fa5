import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'

interface Handle extends FileHandle {
  readonly fd: number
}

type Sync = (this: Handle) => Promise<void>

/**
 * The synced state of a folder, without any data that the operating system wrote on its own: the worst result of a loss of
 * power. A file has its content at its last `fdatasync`, and a folder the names of its last `fsync`, without names removed
 * since. Files that SQLite itself syncs (the index, in a checkpoint) have their present content.
 */
export class SyncedCopy {
  readonly #root: string
  readonly #contents = new Map<number, Buffer>()
  readonly #names = new Map<number, Map<string, number>>()
  readonly #prototype: { sync: Sync; datasync: Sync }
  readonly #original: { sync: Sync; datasync: Sync }
  /** Runs with the path before each sync. The sync fails when it rejects. */
  before: (path: string) => Promise<void> = async () => undefined

  private constructor(root: string, handle: FileHandle) {
    this.#root = root
    this.#prototype = Object.getPrototypeOf(handle) as { sync: Sync; datasync: Sync }
    this.#original = { sync: this.#prototype.sync, datasync: this.#prototype.datasync }
    this.#noteNames(statSync(root).ino, root)
    for (const name of ['sync', 'datasync'] as const) this.#observe(name)
  }

  static async of(root: string): Promise<SyncedCopy> {
    const handle = await open(root, 'r')
    try {
      return new SyncedCopy(root, handle)
    } finally {
      await handle.close()
    }
  }

  end(): void {
    Object.assign(this.#prototype, this.#original)
  }

  /** Writes the synced state into the folder `to`, which must not exist. */
  write(to: string): void {
    this.#write(statSync(this.#root).ino, this.#root, to)
  }

  #write(ino: number, from: string, to: string): void {
    mkdirSync(to)
    for (const [name, inode] of this.#names.get(ino) ?? []) {
      const live = lstatSync(join(from, name), { throwIfNoEntry: false })
      // The removal of a name may reach the disk at any time.
      if (live?.ino !== inode) continue
      if (live.isDirectory()) this.#write(inode, join(from, name), join(to, name))
      else writeFileSync(join(to, name), this.#content(inode, join(from, name)))
    }
  }

  #content(ino: number, path: string): Buffer {
    if (path.endsWith('.sqlite')) return readFileSync(path)
    return this.#contents.get(ino) ?? Buffer.alloc(0)
  }

  #observe(name: 'sync' | 'datasync'): void {
    const copy = this
    const original = this.#original[name]
    this.#prototype[name] = async function observed(this: Handle) {
      const path = readlinkSync(`/proc/self/fd/${this.fd}`)
      if (!`${path}/`.startsWith(`${copy.#root}/`)) return original.call(this)
      await copy.before(path)
      const stats = statSync(`/proc/self/fd/${this.fd}`)
      if (stats.isDirectory()) copy.#noteNames(stats.ino, path)
      else copy.#contents.set(stats.ino, readFileSync(`/proc/self/fd/${this.fd}`))
      return original.call(this)
    }
  }

  #noteNames(ino: number, path: string): void {
    const names = readdirSync(path).flatMap((name) => {
      const found = lstatSync(join(path, name), { throwIfNoEntry: false })
      return found === undefined ? [] : [[name, found.ino] as const]
    })
    this.#names.set(ino, new Map(names))
  }
}
