import { EventEmitter, once } from 'node:events'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { readBulkReplies, replaceReply } from '../../src/wire/read-bulk-replies.ts'
import { closeAfterTest, openBackend } from '../resources.ts'

interface Reader {
  write(piece: Buffer): void
}
interface ReaderOptions {
  readonly getTypeMapping: () => object
  readonly onReply: (reply: unknown) => void
  readonly onErrorReply: (error: Error) => void
  readonly onPush: (push: unknown) => void
}

/** The parser of ioredis. */
const { Decoder } = createRequire(import.meta.url)('ioredis/built/resp/decoder.js') as {
  readonly Decoder: new (options: ReaderOptions) => Reader
}

/** A parser that lists its replies as the waiting commands would receive them. */
function openReader(): { reader: Reader; replies: unknown[] } {
  const replies: unknown[] = []
  const reader = new Decoder({
    getTypeMapping: () => ({ 36: Buffer, 43: Buffer }),
    onReply: (reply) => replies.push(replaceReply(reply)),
    onErrorReply: (error) => replies.push(['error', error.message]),
    onPush: (push) => replies.push(['push', push]),
  })
  return { reader, replies }
}

/** A socket whose bytes go to a parser, the replies, and the number of bytes that the parser received. */
function openSocket(isOwn = true): {
  receive: (piece: Buffer) => void
  replies: unknown[]
  passedOn: () => number
  failures: unknown[]
} {
  const { reader, replies } = openReader()
  const failures: unknown[] = []
  const socket = Object.assign(new EventEmitter(), { destroy: (error: unknown) => failures.push(error) })
  let bytes = 0
  socket.on('data', (piece: Buffer) => {
    bytes += piece.length
    reader.write(piece)
  })
  readBulkReplies(socket as never, () => isOwn)
  return { receive: (piece) => socket.emit('data', piece), replies, passedOn: () => bytes, failures }
}

/** Mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

class Replies {
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  upTo(most: number): number {
    return Math.floor(this.#random() * (most + 1))
  }

  #one<T>(choices: readonly T[]): T {
    return choices[this.upTo(choices.length - 1)] as T
  }

  /** Bytes that look like parts of the protocol. */
  #text(): string {
    const pieces = ['\r\n', '*2\r\n', '$3\r\nabc\r\n', '$-1\r\n', 'x', '\u0000', '12', '-', '>', '\u00ff', '_\r\n']
    return Array.from({ length: this.upTo(4) }, () => this.#one(pieces)).join('')
  }

  #bulk(type = '$'): string {
    const text = this.#one([this.#text(), this.#text(), 'y'.repeat(this.upTo(300))])
    return `${type}${text.length}\r\n${text}\r\n`
  }

  texts(): string {
    const texts = Array.from({ length: this.upTo(12) }, () =>
      this.#one([this.#bulk(), this.#bulk(), this.#bulk(), '$-1\r\n', '_\r\n']),
    )
    return `*${texts.length}\r\n${texts.join('')}`
  }

  #list(type: string, depth: number): string {
    const values = Array.from({ length: this.upTo(4) }, () => this.value(depth + 1))
    return `${type}${values.length}\r\n${values.join('')}`
  }

  #map(depth: number): string {
    const pairs = Array.from({ length: this.upTo(3) }, (_, index) => `+name ${index}\r\n${this.value(depth + 1)}`)
    return `%${pairs.length}\r\n${pairs.join('')}`
  }

  value(depth = 0): string {
    const simple = [
      '+OK\r\n',
      '+\r\n',
      ':0\r\n',
      ':-123\r\n',
      '#t\r\n',
      ',1.5\r\n',
      '(12345678901234567890\r\n',
      '_\r\n',
    ]
    const makers = [() => this.#one(simple), () => this.#bulk(), () => '$-1\r\n', () => '*-1\r\n']
    if (depth < 3)
      makers.push(
        () => this.#list('*', depth),
        () => this.#list('~', depth),
        () => this.#map(depth),
      )
    return this.#one(makers)()
  }

  reply(): string {
    return this.#one([
      () => this.texts(),
      () => this.texts(),
      () => this.value(),
      () => `-ERR ${this.upTo(99)} is wrong\r\n`,
      () => `>2\r\n$7\r\nmessage\r\n${this.#bulk()}`,
    ])()
  }
}

describe('a reply', () => {
  it('is the one that ioredis parses, in chunks of any size', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const replies = new Replies(createRandom(seed))
      const stream = Buffer.from(Array.from({ length: 30 }, () => replies.reply()).join(''), 'latin1')
      const expected = openReader()
      expected.reader.write(stream)
      const socket = openSocket()
      const most = [1, 3, 20, 500, stream.length][seed % 5] as number
      for (let at = 0; at < stream.length; ) {
        const end = at + 1 + replies.upTo(most - 1)
        socket.receive(stream.subarray(at, end))
        at = end
      }
      expect([seed, socket.replies]).toEqual([seed, expected.replies])
    }
  })

  it('that is a whole list of bulk strings bypasses the parser of ioredis', () => {
    const socket = openSocket()
    const texts = `*3\r\n$2000\r\n${'x'.repeat(2000)}\r\n$-1\r\n$0\r\n\r\n`
    socket.receive(Buffer.from(`+OK\r\n${texts}${texts}:1\r\n${texts}`))
    const list = [Buffer.from('x'.repeat(2000)), null, Buffer.alloc(0)]
    expect(socket.replies).toEqual([Buffer.from('OK'), list, list, 1, list])
    expect(socket.passedOn()).toBeLessThan(30)
  })

  it('is never found in the middle of another', () => {
    const socket = openSocket()
    const inner = '*1\r\n$1\r\na\r\n'
    socket.receive(Buffer.from(`$${inner.length * 2}\r\n`))
    socket.receive(Buffer.from(inner))
    socket.receive(Buffer.from(`${inner}\r\n${inner}`))
    expect(socket.replies).toEqual([Buffer.from(inner + inner), [Buffer.from('a')]])
  })

  it('with a length that Redis does not send ends the connection before ioredis allocates it', () => {
    const nested = (length: number, levels: number): string => `*${length}\r\n`.repeat(levels)
    const lengths = ['*30000000\r\n', '*99999999999999999999\r\n', '%16000000\r\n', nested(8_000_000, 3)]
    for (const text of [...lengths, '$99999999999999999\r\n', '~4294967296\r\n', '>33000000\r\n']) {
      for (const cut of [0, 3, text.length]) {
        const socket = openSocket()
        socket.receive(Buffer.from(`+OK\r\n${text.slice(0, cut)}`))
        const before = socket.passedOn()
        socket.receive(Buffer.from(text.slice(cut)))
        expect(socket.failures, text).toEqual([expect.any(RangeError)])
        expect(socket.passedOn() - before, text).toBe(0)
      }
    }
  })

  it('of more values than one chunk holds is read whole', () => {
    const socket = openSocket()
    const count = 100_000
    const stream = Buffer.from(`*${count}\r\n${'$1\r\na\r\n'.repeat(count)}`)
    for (let at = 0; at < stream.length; at += 65_536) socket.receive(stream.subarray(at, at + 65_536))
    expect(socket.failures).toEqual([])
    expect(socket.replies[0]).toHaveLength(count)
  })

  it('to a command of ioredis itself goes to its parser', () => {
    const socket = openSocket(false)
    const stream = Buffer.from('$4\r\ninfo\r\n*1\r\n$1\r\na\r\n')
    socket.receive(stream)
    expect(socket.replies).toEqual([Buffer.from('info'), [Buffer.from('a')]])
    expect(socket.passedOn()).toBe(stream.length)
  })
})

/** A server of RESP2 that replies this many times that it is still loading. */
async function startLoading(times: number): Promise<{ port: number; asked: () => string[]; stop: () => void }> {
  const asked: string[] = []
  let left = times
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (piece) => {
      for (const [, name] of piece.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
        asked.push(name as string)
        if (name !== 'info') socket.write(name === 'get' ? '$-1\r\n' : '+OK\r\n')
        else {
          const text = `loading:${left > 0 ? 1 : 0}\r\nloading_eta_seconds:0\r\n`
          socket.write(`$${text.length}\r\n${text}\r\n`)
          left -= 1
        }
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, asked: () => asked, stop: () => server.close() }
}

describe('a loading server', () => {
  it('receives no command of the cache before it has loaded', async () => {
    const server = closeAfterTest(await startLoading(2))
    const backend = openBackend({ options: { host: '127.0.0.1', port: server.port, protocol: 2 }, timeout: 10_000 })
    expect(await backend.get('k')).toBe(undefined)
    expect(server.asked().filter((name) => name === 'info' || name === 'get')).toEqual(['info', 'info', 'info', 'get'])
  })
})
