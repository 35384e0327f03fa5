import { lstat, truncate } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { failureKind } from '../errors.ts'
import { type Database, type Engine, openDatabase } from '../index/sqlite.ts'

/** The lock of a directory. */
export interface DirectoryLock {
  /** An existing empty file. */
  readonly path: string
  readonly engine: Engine | undefined
  readonly timeout: number
}

/**
 * Takes the lock that processes hold while they name another index or create the first one; resolves to its holder,
 * whose `close` releases it. Resolves to `undefined` as soon as `isNeeded` resolves to `false` during the wait.
 *
 * It is a lock of SQLite: the operating system releases it when its holder dies.
 */
export async function lockDirectory(
  { path, engine, timeout }: DirectoryLock,
  isNeeded: () => Promise<boolean>,
): Promise<Database | undefined> {
  const start = performance.now()
  for (;;) {
    const database = await openDatabase(path, engine)
    try {
      database.exec('begin exclusive')
      return database
    } catch (error) {
      database.close()
      const kind = failureKind(error)
      if ((kind !== 'busy' && kind !== 'corrupt') || performance.now() - start > timeout) throw error
      // The file is always empty, so any content is damage, and no process can hold a lock on a damaged file.
      if (kind === 'corrupt' && (await lstat(path)).isFile()) await truncate(path)
    }
    await wait(5 + Math.random() * 20)
    if (!(await isNeeded())) return undefined
  }
}
