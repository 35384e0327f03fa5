import { once } from 'node:events'
import { connect } from 'node:net'
import type { Candidate, CandidateContext, Measurement } from '../harness/suite.ts'
import { rowName, values } from '../server/workload.ts'
import { scenarios } from './scenarios.ts'

const keyCount = 1000
const single = scenarios.all.filter(({ operation, value }) => operation === 'get' && !value.endsWith('KB'))

/**
 * The upper limit: GET commands prepared as bytes, one write for all callers, and replies that are only counted.
 * No client that runs in Node can be faster with one command for each key.
 */
export const rawSocket: Candidate = {
  name: 'raw socket',
  rows: single.map(rowName),
  async measure(row, context): Promise<Measurement> {
    const { concurrency, value } = scenarios.of(row)
    const found = values[value]
    const text = typeof found === 'string' ? found : JSON.stringify(found)
    return await measureRaw(text, concurrency, context)
  },
}

async function measureRaw(text: string, concurrency: number, context: CandidateContext): Promise<Measurement> {
  const { hostname, port } = new URL((context.shared as { url: string }).url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  await once(socket, 'connect')
  let received = 0
  let wanted = 0
  let arrived: () => void = () => {}
  socket.on('data', (chunk) => {
    received += chunk.length
    if (received >= wanted) arrived()
  })
  const exchange = (request: Buffer, replyBytes: number): Promise<void> =>
    new Promise((resolve) => {
      received = 0
      wanted = replyBytes
      arrived = resolve
      socket.write(request)
    })
  for (let index = 0; index < keyCount; index += 1) await exchange(command('SET', `key:${index}`, text), 5)
  const reply = `$${text.length}\r\n${text}\r\n`.length
  const requests = Array.from({ length: 10 }, (_, start) =>
    Buffer.concat(Array.from({ length: concurrency }, (_, n) => command('GET', `key:${(start * 100 + n) % keyCount}`))),
  )
  const length = context.quick ? 200 : 500
  const start = performance.now()
  let rounds = 0
  while (performance.now() - start < length) {
    await exchange(requests[rounds % requests.length] as Buffer, reply * concurrency)
    if (received !== reply * concurrency) return { value: 0, work: 0 }
    rounds += 1
  }
  const ms = performance.now() - start
  socket.destroy()
  return { value: (rounds * concurrency * 1000) / ms, work: 1 }
}

function command(...parts: readonly string[]): Buffer {
  return Buffer.from(`*${parts.length}\r\n${parts.map((part) => `$${part.length}\r\n${part}\r\n`).join('')}`)
}
