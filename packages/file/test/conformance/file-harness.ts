import { mkdtemp, readdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { frame } from '@cache/codecs'
import type { CacheBackend } from '@cache/core/backend'
import { createMovableClock, type Damage, type Harness } from '@cache/core/conformance'
import { keyText } from '../../src/index/key-text.ts'
import { FileBackend, type FileBackendOptions } from '../../src/index.ts'

export type HarnessOptions = Omit<FileBackendOptions, 'dir' | 'clock'>

/** Runs `work` with a connection to the index of a directory that no backend knows. */
export async function withIndex<Result>(
  dir: string,
  work: (database: DatabaseSync) => Result,
  prefix = '',
): Promise<Result> {
  const name = (await readFile(join(dir, `${prefix}current`), 'utf8')).trim()
  const database = new DatabaseSync(join(dir, prefix + name))
  try {
    database.exec('pragma busy_timeout = 5000; pragma wal_autocheckpoint = 0')
    return work(database)
  } finally {
    database.close()
  }
}

/** Paths of every value file. */
export async function valueFiles(dir: string): Promise<string[]> {
  const entries = await readdir(join(dir, 'values'), { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/** A harness that gives each rule a new directory. */
export function fileHarness(name: string, options: HarnessOptions = {}): Harness {
  const clock = createMovableClock()
  let dir = ''

  const begin = async (): Promise<void> => {
    dir = join(await mkdtemp(join(tmpdir(), 'cache-file-')), 'cache')
  }
  const open = (more: Partial<FileBackendOptions> = {}): CacheBackend =>
    new FileBackend({ dir, clock, ...options, ...more })
  const change = async (key: string, damage: (bytes: Uint8Array) => Uint8Array): Promise<void> => {
    const row = await withIndex(
      dir,
      (database) =>
        database.prepare('select id, file, frame from item where key = ?').get(keyText(key)) as {
          id: number
          file: string | null
          frame: Uint8Array | null
        },
    )
    if (row.file !== null) {
      const path = join(dir, 'values', row.file.slice(0, 2), row.file)
      await writeFile(path, damage(await readFile(path)))
      return
    }
    const bytes = damage(row.frame as Uint8Array)
    await withIndex(dir, (database) => database.prepare('update item set frame = ? where id = ?').run(bytes, row.id))
  }

  return {
    name,
    values: 'copies',
    clock,
    async open() {
      await begin()
      return open()
    },
    openSecond: () => open(),
    openOther: () => open({ prefix: 'other' }),
    async openMany(count) {
      await begin()
      return Array.from({ length: count }, () => open())
    },
    async openLimited(entries) {
      await begin()
      return open({ maxEntries: entries })
    },
    reopen: () => open(),
    corrupt: (key, damage) => change(key, (bytes) => damaged(bytes, damage)),
    futureFormat: (key) =>
      change(key, (bytes) => {
        const later = Uint8Array.from(bytes)
        later[0] = frame.formatVersion + 1
        return later
      }),
    async break() {
      await rename(dir, `${dir}-away`)
      // A call in flight may make the directory again, before the file takes its place.
      for (let tries = 0; ; tries += 1) {
        try {
          await writeFile(dir, 'not a directory')
          return
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EISDIR' || tries === 100) throw error
          await rm(dir, { recursive: true, force: true })
        }
      }
    },
    async heal() {
      await unlink(dir)
      await rename(`${dir}-away`, dir)
    },
    failureBound: 1000,
    without: {
      openInjected: 'a directory has no client',
      freeze: 'readers of a write-ahead log never wait, so nothing can hold all operations',
    },
    dispose: () => rm(join(dir, '..'), { recursive: true, force: true }),
  }
}

function damaged(bytes: Uint8Array, damage: Damage): Uint8Array {
  if (damage === 'empty') return new Uint8Array(0)
  return damage === 'truncated' ? bytes.slice(0, Math.floor(bytes.length / 2)) : bytes.map((byte) => byte ^ 0xa5)
}
