import { stat } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import type { BackgroundThread } from '../background/background-thread.ts'
import { failureKind } from '../errors.ts'
import { createSchema, hasSchema, pageBytes, storedSchemaVersion, takesLong } from '../index/schema.ts'
import { type Database, type Engine, openDatabase } from '../index/sqlite.ts'
import type { Settings } from '../options.ts'

/**
 * Without mmap, because a truncated file would end the process. Without automatic checkpoints, because `Checkpointer`
 * runs them.
 */
const connectionPragmas = `
pragma busy_timeout = 0;
pragma synchronous = normal;
pragma wal_autocheckpoint = 0;
pragma journal_size_limit = 33554432;
pragma cache_size = -16000;
pragma temp_store = memory;
pragma mmap_size = 0;
pragma cell_size_check = on;
pragma trusted_schema = off;
pragma recursive_triggers = on;
`

/** Opens the index at the path and creates missing tables. `isEmpty`: it had no tables. */
export async function openForWriting(
  path: string,
  { engine, policy, lockTimeout }: Settings,
  background: BackgroundThread,
): Promise<{ readonly database: Database; readonly isEmpty: boolean }> {
  const database = await openDatabase(path, engine)
  try {
    await retryWhileBusy(lockTimeout, () => database.exec(connectionPragmas))
    let isEmpty = false
    await retryWhileBusy(lockTimeout, () => {
      isEmpty = storedSchemaVersion(database) === 0
      return hasSchema(database, policy) || !takesLong(database)
        ? prepareForWriting(database, policy)
        : background.run({ kind: 'policy', path, policy })
    })
    return { database, isEmpty }
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * SQLite reads a log only with a -shm file beside it. When the last writer has closed and removed both, the index is
 * opened as immutable. `absentLog` is then the path of the log that the next writer creates.
 */
export async function openForReading(
  path: string,
  engine: Engine | undefined,
): Promise<{ readonly database: Database; readonly absentLog: string }> {
  const absentLog = (await isAbsent(`${path}-wal`)) ? `${path}-wal` : ''
  const database = await openDatabase(path, engine, { readOnly: true, immutable: absentLog !== '' })
  try {
    database.exec('pragma busy_timeout = 0; pragma mmap_size = 0; pragma trusted_schema = off')
    storedSchemaVersion(database)
    return { database, absentLog }
  } catch (error) {
    database.close()
    throw error
  }
}

async function isAbsent(path: string): Promise<boolean> {
  try {
    await stat(path)
    return false
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    throw error
  }
}

function prepareForWriting(database: Database, policy: Settings['policy']): void {
  if (hasSchema(database, policy)) return
  // These pragmas have an effect only on an empty file.
  database.exec(`pragma page_size = ${pageBytes}; pragma auto_vacuum = incremental`)
  database.exec('pragma journal_mode = wal')
  database.exec('begin immediate')
  try {
    createSchema(database, policy)
    database.exec('commit')
  } catch (error) {
    database.exec('rollback')
    throw error
  }
}

/** Repeats `work` while other processes hold the locks, without blocking the event loop. */
async function retryWhileBusy(timeout: number, work: () => unknown): Promise<void> {
  const start = performance.now()
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      if (failureKind(error) !== 'busy' || performance.now() - start > timeout) throw error
    }
    await wait(1 + Math.random() * 8)
  }
}
