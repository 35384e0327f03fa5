import { once } from 'node:events'
import { createConnection, createServer, type Server as NetServer, type Socket } from 'node:net'

/** A TCP proxy in front of a server, which behaves as badly as it is told. It is in this process. */
export interface TcpProxy {
  /** The target's URL with the proxy's host and port in it. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** How many connections are open through it. */
  readonly connections: number
  /** How many pieces of replies wait for their delay. */
  readonly waiting: number
  /** How many bytes of replies it has swallowed since it was started. */
  readonly swallowed: number
  /** Delays every reply from now on by so many milliseconds. */
  delay(ms: number): void
  /** Ends all connections, and every new one at once, until `heal()`. */
  cut(): void
  /** Ends all connections; new ones are served. */
  drop(): void
  /** From now on requests reach the server and replies do not come back; connections stay open. */
  swallowReplies(): void
  /** Ends delay, cut and swallowing. Connections that have lost a reply are ended: their streams have a hole. */
  heal(): void
  /** Ends all connections and the proxy. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** Replies that wait for their delay, in their order. */
  readonly waiting: Buffer[]
  hasHole: boolean
}

class LoopbackProxy implements TcpProxy {
  readonly host: string = '127.0.0.1'
  readonly url: string
  readonly port: number
  swallowed = 0
  readonly #listener: NetServer
  readonly #pairs = new Set<Pair>()
  #delay = 0
  #isCut = false
  #swallows = false

  static async start(target: URL, defaultPort: number): Promise<LoopbackProxy> {
    const listener = createServer()
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    return new LoopbackProxy(listener, target, defaultPort)
  }

  constructor(listener: NetServer, target: URL, defaultPort: number) {
    this.#listener = listener
    const address = listener.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy listens on no port')
    this.port = address.port
    const own = new URL(target)
    own.hostname = this.host
    own.port = String(this.port)
    this.url = own.href
    const port = Number(target.port) || defaultPort
    listener.on('connection', (client) => this.#accept(client, target.hostname, port))
  }

  get connections(): number {
    return this.#pairs.size
  }

  get waiting(): number {
    let count = 0
    for (const pair of this.#pairs) count += pair.waiting.length
    return count
  }

  #accept(client: Socket, host: string, port: number): void {
    if (this.#isCut) {
      client.resetAndDestroy()
      return
    }
    const server = createConnection({ host, port, noDelay: true })
    client.setNoDelay(true)
    const pair: Pair = { client, server, waiting: [], hasHole: false }
    this.#pairs.add(pair)
    for (const socket of [client, server]) {
      socket.on('error', () => {})
      socket.on('close', () => this.#end(pair))
    }
    client.pipe(server)
    server.on('data', (chunk) => this.#reply(pair, chunk))
  }

  #reply(pair: Pair, chunk: Buffer): void {
    if (this.#swallows) {
      this.swallowed += chunk.length
      pair.hasHole = true
      return
    }
    if (this.#delay === 0 && pair.waiting.length === 0) {
      pair.client.write(chunk)
      return
    }
    // Each timer writes the reply that waits longest, not its own: so replies stay in order when the delay changes.
    pair.waiting.push(chunk)
    setTimeout(() => {
      const next = pair.waiting.shift()
      if (next && pair.client.writable) pair.client.write(next)
    }, this.#delay)
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }

  delay(ms: number): void {
    this.#delay = ms
  }

  cut(): void {
    this.#isCut = true
    this.drop()
  }

  drop(): void {
    for (const pair of this.#pairs) {
      pair.client.resetAndDestroy()
      this.#end(pair)
    }
  }

  swallowReplies(): void {
    this.#swallows = true
  }

  heal(): void {
    this.#delay = 0
    this.#isCut = false
    this.#swallows = false
    for (const pair of this.#pairs) if (pair.hasHole) this.#end(pair)
  }

  async stop(): Promise<void> {
    this.drop()
    if (!this.#listener.listening) return
    const closed = once(this.#listener, 'close')
    this.#listener.close()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

const defaultPorts: Readonly<Record<string, number>> = {
  'redis:': 6379,
  'rediss:': 6379,
  'postgres:': 5432,
  'postgresql:': 5432,
}

/** Starts a proxy in front of the server at the URL `target`. */
export async function tcpProxy(target: string): Promise<TcpProxy> {
  const url = new URL(target)
  return await LoopbackProxy.start(url, defaultPorts[url.protocol] ?? 80)
}
