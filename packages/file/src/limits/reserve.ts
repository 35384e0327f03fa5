import { randomBytes } from 'node:crypto'
import { unlink } from 'node:fs/promises'
import { setExactMode, writeAll } from '../disk/file-io.ts'
import { openFile } from '../disk/open-file.ts'

/** Bytes that are written at a time. */
const step = 64 * 1024

/**
 * A file without use that keeps space on a nearly full disk. A removal needs space, too: for its entries in the log.
 */
export class Reserve {
  readonly #path: string
  readonly #mode: number

  constructor(path: string, mode: number) {
    this.#path = path
    this.#mode = mode
  }

  /** Creates the file unless it exists. A failure leaves no file. */
  async keep(bytes: number): Promise<void> {
    let file: Awaited<ReturnType<typeof openFile>>
    try {
      file = await openFile(this.#path, 'wx', this.#mode)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return
      throw error
    }
    try {
      await setExactMode(file, this.#mode)
      // Zeros would take no space on a file system that compresses.
      for (let written = 0; written < bytes; written += step) await writeAll(file, randomBytes(step))
    } catch (error) {
      await this.release()
      throw error
    } finally {
      await file.close()
    }
  }

  /** Removes the file; resolves to whether it existed. */
  async release(): Promise<boolean> {
    try {
      await unlink(this.#path)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    }
  }
}
