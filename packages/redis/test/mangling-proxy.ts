import { connect, createServer, type Socket } from 'node:net'
import { ReplyBounds } from '../src/wire/reply-bounds.ts'

/** Replaces the reply to a command; `undefined` leaves it. */
export type Mangle = (command: readonly string[], reply: Buffer) => string | Buffer | undefined

/** A proxy in front of a server that can replace single replies. */
export interface ManglingProxy {
  readonly port: number
  readonly url: string
  /** Applies to every reply from now on; `undefined` ends it. */
  mangle: Mangle | undefined
  stop(): Promise<void>
}

/** Starts a proxy that matches the replies of the server with the commands of the client. */
export async function startManglingProxy(url: string): Promise<ManglingProxy> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
        sockets.delete(socket)
      })
    }
    const commands: string[][] = []
    const requests = new Requests()
    client.on('data', (chunk: Buffer) => {
      commands.push(...requests.read(chunk))
      upstream.write(chunk)
    })
    const replies = new Replies()
    upstream.on('data', (chunk: Buffer) => {
      for (const reply of replies.read(chunk)) {
        const command = commands.shift() ?? []
        client.write(proxy.mangle?.(command, reply) ?? reply)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as { readonly port: number }
  const proxy: ManglingProxy = {
    port: address.port,
    url: `redis://127.0.0.1:${address.port}`,
    mangle: undefined,
    stop: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
  return proxy
}

/** Splits the bytes of a client into commands. */
export class Requests {
  #bytes: Buffer = Buffer.alloc(0)

  read(chunk: Buffer): string[][] {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    const commands: string[][] = []
    for (let command = this.#next(); command !== undefined; command = this.#next()) commands.push(command)
    return commands
  }

  #next(): string[] | undefined {
    const bytes = this.#bytes
    let at = 0
    const line = (): number | undefined => {
      const end = bytes.indexOf('\r\n', at)
      if (end < 0) return undefined
      const number = Number(bytes.toString('latin1', at + 1, end))
      at = end + 2
      return number
    }
    const count = line()
    if (count === undefined) return undefined
    const parts: string[] = []
    for (let index = 0; index < count; index += 1) {
      const size = line()
      if (size === undefined || at + size + 2 > bytes.length) return undefined
      parts.push(bytes.toString('latin1', at, at + size))
      at += size + 2
    }
    this.#bytes = bytes.subarray(at)
    return parts
  }
}

/** Splits the bytes of a server into replies. */
class Replies {
  readonly #bounds = new ReplyBounds()
  #part: Buffer = Buffer.alloc(0)

  read(chunk: Buffer): Buffer[] {
    const replies: Buffer[] = []
    for (let at = 0; at < chunk.length; ) {
      const end = this.#bounds.endOf(chunk, at)
      this.#part = Buffer.concat([this.#part, chunk.subarray(at, end < 0 ? chunk.length : end)])
      if (end < 0) break
      replies.push(this.#part)
      this.#part = Buffer.alloc(0)
      at = end
    }
    return replies
  }
}
