/**
 * Increments a counter, transfers between two accounts, takes messages from a queue, and prints the messages it got.
 *
 *     node counter.ts DIR TIMES
 */

import { FileBackend } from '../../src/index.ts'
import { JobQueue } from '../../src/queue/index.ts'
import { transact } from '../../src/transactions/index.ts'

const [dir = '', times = '0'] = process.argv.slice(2)
const backend = new FileBackend({ dir })
const count = Number(times)
for (let n = 0; n < count; n += 1) {
  await backend.increment('counter', 1)
  await transact(backend, async (tx) => {
    await tx.increment('from', -1)
    await tx.increment('to', 1)
  })
}
const got: unknown[] = []
for (
  let message = await new JobQueue(backend, 'q').pull();
  message !== undefined;
  message = await new JobQueue(backend, 'q').pull()
) {
  got.push(message.value)
  await message.ack()
}
await backend.close()
console.log(JSON.stringify(got))
