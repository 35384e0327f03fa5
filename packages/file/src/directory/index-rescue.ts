import { readdir, rename, unlink } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { CacheError } from '@cache/core/backend'
import type { BackgroundThread } from '../background/background-thread.ts'
import type { Settings } from '../options.ts'
import type { CacheDirectory } from './cache-directory.ts'
import { verificationMs } from './verification.ts'

/** Replaces a damaged index by a new one with all rows that are still readable. */
export class IndexRescue {
  readonly #files: CacheDirectory
  readonly #background: BackgroundThread
  readonly #settings: Settings
  readonly #report: (error: unknown, method: string) => void

  constructor(
    files: CacheDirectory,
    background: BackgroundThread,
    settings: Settings,
    report: (error: unknown, method: string) => void,
  ) {
    this.#files = files
    this.#background = background
    this.#settings = settings
    this.#report = report
  }

  /**
   * Resolves when the index `broken` is no longer in use, after this or another process has replaced it. Reports the
   * result.
   */
  async replace(broken: string): Promise<void> {
    // Another process may have replaced it already. Then its index is the one to open.
    const isNeeded = async (): Promise<boolean> => (await this.#files.currentName()) === broken
    const lock = await this.#files.lock('rescue.sqlite', isNeeded)
    try {
      if (lock !== undefined && (await isNeeded())) await this.#rebuild(broken)
    } finally {
      lock?.close()
    }
  }

  async #rebuild(broken: string): Promise<void> {
    const files = this.#files
    const fresh = files.newIndexName()
    await files.createIndexFile(fresh)
    const { saved, problems } = await this.#background.run({
      kind: 'salvage',
      path: files.file(broken),
      to: files.file(fresh),
      policy: this.#settings.policy,
    })
    await files.switchTo(fresh)
    const keptName = broken.replace(/^index/, 'broken')
    await this.#removeEarlierBroken()
    for (const suffix of ['', '-wal']) {
      await rename(files.file(broken + suffix), files.file(keptName + suffix)).catch(() => undefined)
    }
    // Remaining files of the broken index and of interrupted rescues. Only a rescue creates an index that is not
    // current, and this process holds the lock of rescues.
    for (const path of await files.otherIndexFiles(fresh)) await unlink(path).catch(() => undefined)
    // Another handle may have looked at `current` just before it changed. Until it looks again, it reads the old index,
    // so the new one must have no changes yet.
    await wait(2 * verificationMs)
    const lost = problems.length === 0 ? '' : `; not read: ${problems.slice(0, 3).join('; ')}`
    const message = `the index was damaged; ${saved} entries were moved to a new one; the old one is ${keptName}${lost}`
    this.#report(new CacheError('DAMAGED', message, { backend: 'file', operation: 'open' }), 'open')
  }

  /** Removes broken indexes of earlier rescues. One is kept for analysis; more would fill the disk. */
  async #removeEarlierBroken(): Promise<void> {
    const { filePrefix } = this.#settings
    for (const name of await readdir(this.#files.path)) {
      if (!name.startsWith(`${filePrefix}broken-`)) continue
      // A directory stays: it may have been moved aside, and its content is not this package's.
      await unlink(this.#files.file(name.slice(filePrefix.length))).catch(() => undefined)
    }
  }
}
