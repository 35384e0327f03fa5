import { StringDecoder } from 'node:string_decoder'
import { openRegularFile } from './open-regular-file.ts'

/** Bytes of one read. */
const bytesPerRead = 256 * 1024

/**
 * The lines of a regular file, without their ends. A line of more than `maxLength` characters gives `undefined`: text
 * of any length would fill the memory, and a text above 512 MB would end the process.
 */
export async function* readLines(path: string, maxLength: number): AsyncGenerator<string | undefined> {
  // The application gives the path, which may be a link.
  const file = await openRegularFile(path, { followLinks: true })
  try {
    const decoder = new StringDecoder('utf8')
    const buffer = Buffer.allocUnsafeSlow(bytesPerRead)
    const line = new LineParts(maxLength)
    let bytesRead: number
    do {
      bytesRead = (await file.read(buffer, 0, bytesPerRead, null)).bytesRead
      const text = bytesRead === 0 ? decoder.end() : decoder.write(buffer.subarray(0, bytesRead))
      let start = 0
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
        line.add(text.slice(start, end))
        yield line.take()
        start = end + 1
      }
      line.add(text.slice(start))
    } while (bytesRead > 0)
    if (line.length > 0) yield line.take()
  } finally {
    await file.close()
  }
}

/** The parts of one line that have been read. */
class LineParts {
  readonly #maxLength: number
  #parts: string[] = []
  length = 0

  constructor(maxLength: number) {
    this.#maxLength = maxLength
  }

  add(part: string): void {
    this.length += part.length
    if (this.length > this.#maxLength) this.#parts = []
    else this.#parts.push(part)
  }

  /** The whole line; `undefined` when it is too long. The next part begins another line. */
  take(): string | undefined {
    const line = this.length > this.#maxLength ? undefined : this.#parts.join('')
    this.#parts = []
    this.length = 0
    return line?.endsWith('\r') ? line.slice(0, -1) : line
  }
}
