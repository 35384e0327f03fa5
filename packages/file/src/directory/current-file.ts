import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { rename, unlink } from 'node:fs/promises'
import { readStart, setExactMode } from '../disk/file-io.ts'
import { openFile } from '../disk/open-file.ts'
import { openRegularFile } from '../disk/open-regular-file.ts'

/** The first number is the version of the schema. */
export const indexName: RegExp = /^index-(\d{1,6})-([0-9a-f]{8})\.sqlite$/

/** More bytes than the file ever has. */
const maxBytes = 64

/** Failures of a path where something other than a file is. */
const damagedCodes: readonly unknown[] = ['EFTYPE', 'EISDIR', 'ENXIO']

/** The file `current`, which names the index in use. It is replaced by renaming. */
export class CurrentFile {
  readonly path: string
  readonly #mode: number
  /** Inode and time of the file at its last read. */
  #stamp = ''

  constructor(path: string, mode: number) {
    this.path = path
    this.#mode = mode
  }

  /** Whether the file has not changed since its last read. It takes 1.5 µs, so every write can ask it. */
  isUnchanged(): boolean {
    try {
      return stampOf(statSync(this.path)) === this.#stamp
    } catch {
      return false
    }
  }

  /** The name in the file. It may be the name of an index that does not exist. */
  async read(): Promise<{ readonly name: string } | 'missing' | 'damaged'> {
    try {
      const file = await openRegularFile(this.path)
      try {
        this.#stamp = stampOf(await file.stat())
        const bytes = await readStart(file, maxBytes)
        const name = bytes.toString('latin1').trim()
        return bytes.length < maxBytes && indexName.test(name) ? { name } : 'damaged'
      } finally {
        await file.close()
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return 'missing'
      if (damagedCodes.includes(code)) return 'damaged'
      throw error
    }
  }

  /** Makes `name` the index in use. */
  async replace(name: string): Promise<void> {
    const temporary = `${this.path}.${randomBytes(6).toString('hex')}.tmp`
    try {
      const file = await openFile(temporary, 'wx', this.#mode)
      try {
        await setExactMode(file, this.#mode)
        await file.writeFile(`${name}\n`)
        await file.datasync()
      } finally {
        await file.close()
      }
      await rename(temporary, this.path)
    } catch (error) {
      await unlink(temporary).catch(() => undefined)
      throw error
    }
  }
}

function stampOf(stats: { readonly ino: number; readonly mtimeMs: number }): string {
  return `${stats.ino}:${stats.mtimeMs}`
}
