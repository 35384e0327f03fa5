import { constants } from 'node:fs'
import { type FileHandle, lstat } from 'node:fs/promises'
import { openFile } from './open-file.ts'
import { notRegular } from './open-regular-file.ts'

/**
 * Gives a new file its mode when the umask has removed bits of it. Node's permission model has no `fchmod`, so it is
 * avoided.
 */
export async function setExactMode(file: FileHandle, mode: number): Promise<void> {
  if (((await file.stat()).mode & 0o777) !== mode) await file.chmod(mode)
}

/** Makes the names in a directory safe against a loss of power. */
export async function syncDirectory(dir: string): Promise<void> {
  // Windows cannot open directories as files, and its file system has a journal of names.
  if (process.platform === 'win32') return
  // O_DIRECTORY refuses a pipe, whose opening would block.
  const handle = await openFile(dir, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the content of a file safe against a loss of power. Rejects with the code `EFTYPE` for anything else. */
export async function syncFile(path: string): Promise<void> {
  if (!(await lstat(path)).isFile()) throw notRegular(path)
  // Windows syncs only files that are open for writing.
  const handle = await openFile(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    await handle.datasync()
  } finally {
    await handle.close()
  }
}

/** Writes all bytes at the file's position: one `write` call may write fewer. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let offset = 0
  while (offset < bytes.length) {
    const { bytesWritten } = await file.write(bytes, offset, bytes.length - offset)
    offset += bytesWritten
  }
}

/** Reads `size` bytes from the start of the file, or fewer when it ends before. */
export async function readStart(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(size)
  let offset = 0
  while (offset < size) {
    const { bytesRead } = await file.read(bytes, offset, size - offset, offset)
    if (bytesRead === 0) break
    offset += bytesRead
  }
  return bytes.subarray(0, offset)
}
