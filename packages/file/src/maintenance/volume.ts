import { stat } from 'node:fs/promises'
import type { Store } from '../directory/directory-handle.ts'

/** Bytes that a store takes on the disk. */
export async function volumeOf(store: Store): Promise<number> {
  await store.prepareForReading()
  let bytes = 0
  for (const suffix of ['', '-wal', '-shm']) {
    bytes += await stat(store.indexPath + suffix).then(
      ({ size }) => size,
      () => 0,
    )
  }
  for await (const file of store.values.list()) bytes += file.bytes
  return bytes
}
