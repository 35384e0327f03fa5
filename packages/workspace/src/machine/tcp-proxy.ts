import { once } from 'node:events'
import { createConnection, createServer, type Server as NetServer, type Socket } from 'node:net'

/** A TCP proxy in front of a server, in this process. Its methods simulate network faults. */
export interface TcpProxy {
  /** The target's URL with the proxy's host and port in it. */
  readonly url: string
  readonly host: string
  readonly port: number
  /** The number of open connections through the proxy. */
  readonly connections: number
  /** The number of reply chunks that wait for their delay. */
  readonly waiting: number
  /** The number of reply bytes that it has dropped since its start. */
  readonly swallowed: number
  /** Delays every later reply by `ms` milliseconds. */
  delay(ms: number): void
  /** Ends all connections, and each new one immediately, until `heal()`. */
  cut(): void
  /** Ends all connections. New ones work. */
  drop(): void
  /** Drops every later reply. Requests still reach the server, and connections stay open. */
  swallowReplies(): void
  /**
   * Ends `delay`, `cut` and `swallowReplies`. Connections that lost a reply are ended, because their streams have a
   * gap.
   */
  heal(): void
  /** Ends all connections and the proxy. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** Replies that wait for their delay, in order of arrival. */
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
    // Each timer writes the oldest waiting reply instead of its own, so that replies stay in order when the delay
    // changes.
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
