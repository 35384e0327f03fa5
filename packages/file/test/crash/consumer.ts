/**
 * Takes messages from the queue `q` until the queue is empty or the process is killed. It prints a line for each leased
 * message and a line for each acknowledged one, each with one system call.
 *
 *     node consumer.ts DIR
 */
import { writeSync } from 'node:fs'
import { FileBackend } from '../../src/index.ts'
import { JobQueue } from '../../src/queue/index.ts'

const [dir = ''] = process.argv.slice(2)
const backend = new FileBackend({ dir })
while ((await new JobQueue(backend, 'q').count()) > 0) {
  const message = await new JobQueue(backend, 'q').pull({ lease: 400 })
  if (message === undefined) continue
  writeSync(1, `${JSON.stringify({ got: message.value })}\n`)
  if (await message.ack()) writeSync(1, `${JSON.stringify({ done: message.value })}\n`)
}
await backend.close()
