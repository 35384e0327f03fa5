import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { nonEmptyString } from '@cache/core/backend'
import { type BackendParts, callBackend } from '../backend-parts.ts'
import type { FileBackend } from '../file-backend.ts'
import { keyOfText } from '../index/key-text.ts'
import { setExactMode } from '../values/file-io.ts'
import { headerLine, itemLine } from './dump-format.ts'

/** Lines that one write has. */
const linesPerWrite = 64

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
  const file = await open(temporary, 'wx', fileMode)
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
  let lines = [headerLine]
  for await (const text of items.keyTexts('')) {
    const item = await items.get(keyOfText(text))
    if (item === undefined || item.value === undefined) continue
    lines.push(itemLine(directory.settings.format, item))
    exported += 1
    if (lines.length < linesPerWrite) continue
    await file.write(lines.join(''))
    lines = []
  }
  await file.write(lines.join(''))
  return exported
}
