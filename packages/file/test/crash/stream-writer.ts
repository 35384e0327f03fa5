/**
 * Streams a value without end under the key `stream` and says after how many chunks it is, until it is killed.
 *
 *     node stream-writer.ts DIR
 */
import { writeSync } from 'node:fs'
import { createVersion } from '@cache/core/backend'
import { FileBackend } from '../../src/index.ts'
import { setStream } from '../../src/streams/index.ts'

const [dir = ''] = process.argv.slice(2)
const backend = new FileBackend({ dir })
async function* chunks(): AsyncGenerator<Buffer> {
  for (let n = 1; ; n += 1) {
    yield Buffer.alloc(65_536, n)
    writeSync(1, `${n}\n`)
  }
}
await setStream(backend, { key: 'stream', version: createVersion(), createdAt: 1 }, chunks())
