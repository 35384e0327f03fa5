import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'

/** The longest time that an opening waits while this process or the system has too many files open. */
const maxWait = 10_000
/** The longest time between two attempts. */
const longestPause = 50

/**
 * Opens a file. While this process or the system has too many open files, it tries again for 10 seconds, because other
 * calls close theirs.
 */
export async function openFile(path: string, flags: string | number, mode?: number): Promise<FileHandle> {
  const start = performance.now()
  for (let pause = 1; ; pause = Math.min(pause * 2, longestPause)) {
    try {
      return await open(path, flags, mode)
    } catch (error) {
      if (!isTooManyFiles(error) || performance.now() - start > maxWait) throw error
    }
    await wait(pause)
  }
}

function isTooManyFiles(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EMFILE' || code === 'ENFILE'
}
