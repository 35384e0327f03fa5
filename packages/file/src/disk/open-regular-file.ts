import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { openFile } from './open-file.ts'

/**
 * Opens an existing regular file for reading. Rejects with the code `EFTYPE` for a pipe, a socket, a device or a
 * directory, and with `ELOOP` for a symbolic link unless `followLinks` is true.
 *
 * Without O_NONBLOCK, a pipe without a writer would block a thread of Node's pool for ever. Four of them would block
 * all file operations of the process.
 */
export async function openRegularFile(
  path: string,
  { followLinks = false }: { readonly followLinks?: boolean } = {},
): Promise<FileHandle> {
  const noFollow = followLinks ? 0 : constants.O_NOFOLLOW
  const file = await openFile(path, constants.O_RDONLY | constants.O_NONBLOCK | noFollow)
  try {
    if ((await file.stat()).isFile()) return file
  } catch (error) {
    await file.close()
    throw error
  }
  await file.close()
  throw notRegular(path)
}

/** The error of a path that leads to something other than a regular file. */
export function notRegular(path: string): Error {
  return Object.assign(new Error(`${path} is a pipe, a socket, a device or a directory, and no regular file`), {
    code: 'EFTYPE',
  })
}
