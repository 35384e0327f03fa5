import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { type TcpProxy, tcpProxy, waitUntil } from '../src/index.ts'

/** Answers every chunk with the same text in capitals, and keeps the received text. */
async function echo(): Promise<{ url: string; received: () => string }> {
  let received = ''
  const server: Server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString()
      socket.write(chunk.toString().toUpperCase())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, received: () => received }
}

async function through(target: string): Promise<TcpProxy> {
  const proxy = await tcpProxy(target)
  onTestFinished(() => proxy.stop())
  return proxy
}

async function connect(proxy: TcpProxy): Promise<Socket> {
  const socket = createConnection({ host: proxy.host, port: proxy.port })
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

// Not `once`, which rejects when the end is a reset.
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

async function reply(socket: Socket, bytes: number): Promise<string> {
  let text = ''
  while (text.length < bytes) text += String((await once(socket, 'data'))[0])
  return text
}

it('a proxy passes bytes both ways and names its own address in the URL', async () => {
  const server = await echo()
  const proxy = await through(`${server.url}/0?a=b`)
  expect(proxy.url).toBe(`redis://127.0.0.1:${proxy.port}/0?a=b`)
  const socket = await connect(proxy)
  socket.write('abc')
  expect(await reply(socket, 3)).toBe('ABC')
  expect(proxy.connections).toBe(1)
})

it('a delayed reply comes after its delay, and replies stay in order when the delay shrinks', async () => {
  const server = await echo()
  const proxy = await through(server.url)
  const socket = await connect(proxy)
  const start = performance.now()
  proxy.delay(60)
  socket.write('a')
  await waitUntil('the first reply waits', () => proxy.waiting === 1)
  proxy.delay(10)
  socket.write('b')
  expect(await reply(socket, 2)).toBe('AB')
  expect(performance.now() - start).toBeGreaterThanOrEqual(59)
})

it('a cut proxy ends its connections and refuses new ones until it is healed', async () => {
  const server = await echo()
  const proxy = await through(server.url)
  const socket = await connect(proxy)
  await waitUntil('the connection is counted', () => proxy.connections === 1)
  const end = closed(socket)
  proxy.cut()
  await end
  const refused = createConnection({ host: proxy.host, port: proxy.port })
  refused.on('error', () => {})
  await closed(refused)
  proxy.heal()
  const again = await connect(proxy)
  again.write('x')
  expect(await reply(again, 1)).toBe('X')
})

it('a dropped reply is lost after its request arrived, and healing ends the connection that lost it', async () => {
  const server = await echo()
  const proxy = await through(server.url)
  const socket = await connect(proxy)
  const untouched = await connect(proxy)
  proxy.swallowReplies()
  socket.write('lost')
  await waitUntil('the reply is swallowed', () => proxy.swallowed === 4)
  expect(server.received()).toBe('lost')
  expect(socket.bytesRead).toBe(0)
  const end = closed(socket)
  proxy.heal()
  await end
  untouched.write('kept')
  expect(await reply(untouched, 4)).toBe('KEPT')
})
