import { stat } from 'node:fs/promises'
import { callBackend } from '../backend-parts.ts'
import type { DirectoryHandle } from '../directory/directory-handle.ts'
import type { FileBackend } from '../file-backend.ts'

/** Resolves to the bytes on the disk: the index with its log, and all value files. */
export function volume(backend: FileBackend): Promise<number> {
  return callBackend(backend, 'volume', undefined, ({ directory }) => volumeOf(directory))
}

async function volumeOf(directory: DirectoryHandle): Promise<number> {
  await directory.prepareForReading()
  let bytes = 0
  for (const suffix of ['', '-wal', '-shm']) {
    bytes += await stat(directory.indexPath + suffix).then(
      ({ size }) => size,
      () => 0,
    )
  }
  for await (const file of directory.values.list()) bytes += file.bytes
  return bytes
}
