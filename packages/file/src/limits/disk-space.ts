import { statfs } from 'node:fs/promises'
import type { Reserve } from './reserve.ts'

/** The part of an open directory that `DiskSpace` needs. */
export interface DiskSpaceHost {
  /** The directory of the cache. */
  readonly path: string
  readonly checkpointer: {
    /** The number of bytes that the log may take, at least as a goal. */
    limitLog(bytes: number): void
    /** Moves the log into the index, so that it starts again. Resolves to whether it did. */
    restartLog(): Promise<boolean>
  }
}

/** Below this number of free bytes, a disk counts as nearly full. */
const scarceBytes = 64 * 1024 * 1024
/** The largest number of bytes that are reserved for removals. */
const reservedBytes = 1024 * 1024
/** The first look at the disk comes after this number of written bytes. */
const firstLook = 64 * 1024
/** Milliseconds between two attempts to help writes on a full disk. */
const pauseBetweenAttempts = 1000

/**
 * Watches the free space of the disk, so that removals succeed on a disk that the cache itself has filled.
 *
 * On a nearly full disk, a part of the space is reserved for removals, and the log is kept short: its pages need space
 * in the index before the space of the log can be used again.
 */
export class DiskSpace {
  readonly #host: DiskSpaceHost
  readonly #reserve: Reserve
  #written = 0
  #lookAt = firstLook
  #looking: Promise<void> | undefined
  #isScarce = false
  /** Whether a removal on a full disk may have left free pages in the index. */
  #hasFreePages = false
  #helpedAt = Number.NEGATIVE_INFINITY

  constructor(host: DiskSpaceHost, reserve: Reserve) {
    this.#host = host
    this.#reserve = reserve
  }

  /** Notes bytes that were written. The less space is free, the sooner comes the next look at it. */
  wrote(bytes: number): void {
    this.#written += bytes
    if (this.#written < this.#lookAt || this.#looking !== undefined) return
    this.#looking = this.#look()
      // The next look tries again. Until then, other calls report a lost directory or a full disk.
      .catch(() => undefined)
      .finally(() => {
        this.#looking = undefined
      })
  }

  /** Waits for the current look, and gives free pages of the index back on a nearly full disk. */
  async close(): Promise<void> {
    await this.#looking
    if (this.#isScarce) await this.#host.checkpointer.restartLog().catch(() => undefined)
  }

  /**
   * Makes space on a full disk; resolves to whether another attempt of the calls can succeed. With `isRemoval`, the
   * reserved space is released.
   */
  async makeSpace(isRemoval: boolean): Promise<boolean> {
    await this.#looking
    const released = isRemoval && (await this.#reserve.release())
    const now = performance.now()
    // Each attempt visits the whole log, and writes on a full disk would ask for one after another.
    if (!isRemoval && now - this.#helpedAt < pauseBetweenAttempts) return false
    this.#helpedAt = now
    const restarted = await this.#host.checkpointer.restartLog()
    // The reserved space is kept again as soon as there is enough.
    this.#lookAt = 0
    this.#hasFreePages ||= isRemoval
    return released || restarted
  }

  /** Releases the reserved space, such as for the opening of an index; resolves to whether there was any. */
  releaseReserve(): Promise<boolean> {
    return this.#reserve.release()
  }

  async #look(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#host.path)
    const free = bavail * bsize
    this.#written = 0
    this.#lookAt = Math.max(firstLook, free / 16)
    this.#isScarce = free < scarceBytes
    this.#host.checkpointer.limitLog(this.#isScarce ? free / 32 : Infinity)
    if (!this.#isScarce) return
    if (this.#hasFreePages) {
      this.#hasFreePages = false
      await this.#host.checkpointer.restartLog()
    }
    const bytes = Math.min(reservedBytes, free / 16)
    if (bytes >= firstLook) await this.#reserve.keep(bytes)
  }
}
