import { constants } from 'node:fs'
import { openFile } from '../disk/open-file.ts'
import { notRegular } from '../disk/open-regular-file.ts'
import { pageBytes, schemaVersion } from '../index/schema.ts'

const headerBytes = 100
const magic = Buffer.from('SQLite format 3\0', 'latin1')
/** The version of SQLite in the header, which readers ignore. */
const writerVersion = 3_046_000

/**
 * Restores the header of a damaged index: SQLite reads no page of a file whose first hundred bytes name another page size or format. All
 * fixed fields have known values, by https://www.sqlite.org/fileformat.html, section 1.3. A header with the right ones stays unchanged.
 */
export async function restoreHeader(path: string): Promise<void> {
  const file = await openFile(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  try {
    const found = await file.stat()
    if (!found.isFile()) throw notRegular(path)
    if (found.size <= headerBytes) return
    const header = Buffer.alloc(headerBytes)
    await file.read(header, 0, headerBytes, 0)
    if (isReadable(header)) return
    await file.write(headerOf(Math.ceil(found.size / pageBytes)), 0, headerBytes, 0)
  } finally {
    await file.close()
  }
}

/** Whether the fields are right without which SQLite reads nothing. */
function isReadable(header: Buffer): boolean {
  const expected = headerOf(0)
  return header.subarray(0, 24).equals(expected.subarray(0, 24)) && header.readUInt32BE(56) === 1
}

function headerOf(pages: number): Buffer {
  const header = Buffer.alloc(headerBytes)
  magic.copy(header)
  header.writeUInt16BE(pageBytes, 16)
  // Write-ahead log, no reserved bytes, and the three fractions that every file has.
  header.set([2, 2, 0, 64, 32, 32], 18)
  // The number of pages counts where the two change counters are equal.
  header.writeUInt32BE(1, 24)
  header.writeUInt32BE(pages, 28)
  header.writeUInt32BE(1, 40)
  header.writeUInt32BE(4, 44)
  // Incremental vacuum: any page number but 0.
  header.writeUInt32BE(1, 52)
  header.writeUInt32BE(1, 56)
  header.writeUInt32BE(schemaVersion, 60)
  header.writeUInt32BE(1, 64)
  header.writeUInt32BE(1, 92)
  header.writeUInt32BE(writerVersion, 96)
  return header
}
