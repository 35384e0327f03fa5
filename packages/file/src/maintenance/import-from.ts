import { constants } from 'node:buffer'
import { nonEmptyString } from '@cache/core/backend'
import { type BackendParts, callBackend } from '../backend-parts.ts'
import { readLines } from '../disk/read-lines.ts'
import type { FileBackend } from '../file-backend.ts'
import { checkHeader, itemOfLine } from './dump-format.ts'
import { type ImportReport, ItemImport } from './item-import.ts'

/** The longest line that fits into one text with room for what is read at once. */
const maxLineLength = constants.MAX_STRING_LENGTH - 2 ** 20

/**
 * Stores the items of a dump that `exportTo` wrote. It replaces items with the same keys and skips expired ones. The
 * report lists unreadable lines, and lines with a member of the wrong type. Rejects with `INVALID_ARGUMENT` when the
 * file is no dump, and with `UNAVAILABLE` when `path` is no readable regular file, such as a pipe.
 */
export function importFrom(backend: FileBackend, path: string): Promise<ImportReport> {
  return callBackend(backend, 'importFrom', undefined, (parts) => read(parts, path))
}

async function read({ directory, items }: BackendParts, path: string): Promise<ImportReport> {
  nonEmptyString(path, 'path', 'importFrom')
  const { dumpFormat } = directory.settings
  const itemImport = new ItemImport(items)
  let number = 0
  for await (const line of readLines(path, maxLineLength)) {
    number += 1
    if (number === 1) checkHeader(line ?? '')
    else if (line === undefined) itemImport.fail(`line ${number}`, new RangeError('it is too long'))
    else if (line !== '') await itemImport.add(`line ${number}`, () => itemOfLine(dumpFormat, line))
  }
  if (number === 0) checkHeader('')
  return itemImport.finish()
}
