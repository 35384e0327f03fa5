import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { nonEmptyString } from '@cache/core/backend'
import { type BackendParts, callBackend } from '../backend-parts.ts'
import type { FileBackend } from '../file-backend.ts'
import { checkHeader, itemOfLine } from './dump-format.ts'
import { type ImportReport, ItemImport } from './item-import.ts'

/**
 * Stores the items of a dump that `exportTo` wrote. It replaces items with the same keys and skips expired ones. The
 * report lists unreadable lines. Rejects with `INVALID_ARGUMENT` when the file is no dump.
 */
export function importFrom(backend: FileBackend, path: string): Promise<ImportReport> {
  return callBackend(backend, 'importFrom', undefined, (parts) => read(parts, path))
}

async function read({ directory, items }: BackendParts, path: string): Promise<ImportReport> {
  nonEmptyString(path, 'path', 'importFrom')
  const { format } = directory.settings
  const itemImport = new ItemImport(items)
  let number = 0
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })
  for await (const line of lines) {
    number += 1
    if (number === 1) checkHeader(line)
    else if (line !== '') await itemImport.add(`line ${number}`, () => itemOfLine(format, line))
  }
  if (number === 0) checkHeader('')
  return itemImport.finish()
}
