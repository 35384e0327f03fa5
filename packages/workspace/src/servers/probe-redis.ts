import { createConnection, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

const answerTimeout = 1_000

/**
 * Resolves when the Redis server on a loopback port answers a `PING`, also with a demand for a password. Rejects while
 * the server refuses connections, loads its data or does not answer.
 */
export async function probeRedis(port: number, tls: boolean): Promise<void> {
  const target = { host: '127.0.0.1', port }
  const socket: Socket = tls ? connectTls({ ...target, rejectUnauthorized: false }) : createConnection(target)
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      socket.setTimeout(answerTimeout, () => reject(new Error('no answer to PING')))
      socket.once('error', reject)
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString()))
      socket.once('close', () => reject(new Error('closed before the answer to PING')))
      socket.write('PING\r\n')
    })
    if (!/^(\+PONG|-NOAUTH|-NOPERM)/.test(answer)) throw new Error(`the answer to PING was ${answer.trim()}`)
  } finally {
    socket.destroy()
  }
}
