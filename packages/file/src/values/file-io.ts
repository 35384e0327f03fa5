import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

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
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the content of a file safe against a loss of power. */
export async function syncFile(path: string): Promise<void> {
  // Windows syncs only files that are open for writing.
  const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
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
