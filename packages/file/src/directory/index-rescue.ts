import { readdir, rename, truncate, unlink } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { CacheError } from '@cache/core/backend'
import { failureKind } from '../errors.ts'
import { type Database, openDatabase } from '../index/sqlite.ts'
import type { Store } from './directory-handle.ts'

/** Replaces an index that SQLite calls damaged by a new one with everything that can still be read. */
export class Rescue {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Resolves when the index `broken` is not in use any more, whichever process replaced it. Reports what was saved. */
  async replace(broken: string): Promise<void> {
    const { directory } = this.#store
    const lock = await this.#lock()
    try {
      // Another process may have been here first: then its index is the one to open.
      if ((await directory.currentName()) !== broken) return
      await this.#rebuild(broken)
    } finally {
      lock.close()
    }
  }

  async #rebuild(broken: string): Promise<void> {
    const { directory, background, settings } = this.#store
    const fresh = directory.newIndexName()
    await directory.makeIndexFile(fresh)
    const { saved, problems } = await background.run({
      kind: 'salvage',
      path: directory.file(broken),
      to: directory.file(fresh),
      policy: settings.policy,
      engine: settings.engine,
    })
    await directory.switchTo(fresh)
    const aside = broken.replace(/^index/, 'broken')
    await this.#removeEarlier()
    for (const suffix of ['', '-wal']) {
      await rename(directory.file(broken + suffix), directory.file(aside + suffix)).catch(() => undefined)
    }
    // What is left of the broken one, and of rescues that did not come to their end: nobody else makes an index that is not
    // current.
    for (const path of await directory.otherIndexFiles(fresh)) await unlink(path).catch(() => undefined)
    const lost = problems.length === 0 ? '' : `; not read: ${problems.slice(0, 3).join('; ')}`
    const message = `The index was damaged. ${saved} entries were moved to a new one; the old one is ${aside}${lost}`
    this.#store.report(new CacheError('DAMAGED', message, { backend: 'file', operation: 'open' }), 'open')
  }

  /** One broken index is kept for whoever wants to know; more would fill the disk. */
  async #removeEarlier(): Promise<void> {
    const { directory, settings } = this.#store
    for (const name of await readdir(directory.path)) {
      if (name.startsWith(`${settings.filePrefix}broken-`))
        await unlink(directory.file(name.slice(settings.filePrefix.length)))
    }
  }

  /** One rescuer at a time. A lock of SQLite, because the operating system takes it back when its holder dies. */
  async #lock(): Promise<Database> {
    const { directory, settings } = this.#store
    const path = directory.file('rescue.sqlite')
    await directory.makeIndexFile('rescue.sqlite')
    await directory.refuseLink(path)
    const start = performance.now()
    for (;;) {
      const database = await openDatabase(path, settings.engine)
      try {
        database.exec('begin exclusive')
        return database
      } catch (error) {
        database.close()
        const kind = failureKind(error)
        if ((kind !== 'busy' && kind !== 'corrupt') || performance.now() - start > settings.lockTimeout) throw error
        // It never holds anything, so whatever is in it is damage, and nobody can have locked it.
        if (kind === 'corrupt') await truncate(path)
      }
      await wait(5 + Math.random() * 20)
    }
  }
}
