import { constants } from 'node:buffer'
import { readStart } from './file-io.ts'
import { openRegularFile } from './open-regular-file.ts'

/** The whole text of a regular file. Rejects when it is too long for one text; see `openRegularFile` for links. */
export async function readText(path: string, options?: { readonly followLinks?: boolean }): Promise<string> {
  const file = await openRegularFile(path, options)
  try {
    const { size } = await file.stat()
    if (size > constants.MAX_STRING_LENGTH) {
      throw new RangeError(`${path} has ${size} bytes; at most ${constants.MAX_STRING_LENGTH} can be read`)
    }
    return (await readStart(file, size)).toString('utf8')
  } finally {
    await file.close()
  }
}
