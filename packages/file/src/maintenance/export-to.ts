import { randomBytes } from 'node:crypto'
import { type FileHandle, rename, unlink } from 'node:fs/promises'
import { nonEmptyString } from '@cache/core/backend'
import { type BackendParts, callBackend } from '../backend-parts.ts'
import { setExactMode, writeAll } from '../disk/file-io.ts'
import { openFile } from '../disk/open-file.ts'
import type { FileBackend } from '../file-backend.ts'
import { keyOfText } from '../index/key-text.ts'
import { headerLine, itemLine } from './dump-format.ts'

/** Characters from which on the waiting lines are written. */
const charactersPerWrite = 256 * 1024

/**
 * Writes all live values to a text file, one line of JSON for each; resolves to their number. A complete dump replaces
 * the file at `path`; a failure leaves it unchanged. Readable values are not encrypted.
 */
export function exportTo(backend: FileBackend, path: string): Promise<number> {
  return callBackend(backend, 'exportTo', undefined, (parts) => write(parts, path))
}

async function write(parts: BackendParts, path: string): Promise<number> {
  nonEmptyString(path, 'path', 'exportTo')
  const { fileMode } = parts.directory.settings
  // A random name: a killed process may have had the same process id, and two exports may run at once.
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  const file = await openFile(temporary, 'wx', fileMode)
  try {
    let exported: number
    try {
      await setExactMode(file, fileMode)
      exported = await writeItems(parts, file)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    return exported
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
}

async function writeItems({ directory, items }: BackendParts, file: FileHandle): Promise<number> {
  let exported = 0
  let text = headerLine
  for await (const key of items.keyTexts('')) {
    const item = await items.get(keyOfText(key))
    if (item === undefined || item.value === undefined) continue
    const line = itemLine(directory.settings.dumpFormat, item)
    exported += 1
    // A line may be nearly as long as a text can be.
    if (text.length + line.length > charactersPerWrite) {
      await writeAll(file, Buffer.from(text))
      text = line
    } else text += line
  }
  await writeAll(file, Buffer.from(text))
  return exported
}
