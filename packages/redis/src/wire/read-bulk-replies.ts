import type { Duplex } from 'node:stream'
import { ReplyBounds } from './reply-bounds.ts'

type Listener = (piece: Buffer) => void
/** What is asked of a socket. */
type Receiver = Pick<Duplex, 'listeners' | 'off' | 'prependListener' | 'destroy'>
type Texts = (Buffer | null)[]

const array = 0x2a
const text = 0x24
const none = 0x5f
const cr = 13
const dash = 45
const zero = 48
const nine = 57

/** What ioredis' reader gets in the place of a list of texts: the shortest reply that there is of this kind. */
const emptyList = Buffer.from('*0\r\n')

/** Set while ioredis' reader works on `emptyList`. */
let taken: Texts | Buffer | undefined

/** What a reply stands for: what was read here, or itself. To be called while ioredis settles the command. */
export function replaceReply(reply: unknown): unknown {
  if (taken === undefined) return reply
  const read = taken
  taken = undefined
  return read
}

/**
 * Reads texts and lists of texts, which is what GET and MGET reply, in the place of ioredis' reader: that takes 300 ns for each
 * text of a list and this takes 50 (docs/decisions/0024). All other replies, and those that come in several pieces, are left
 * to it.
 *
 * To be called before the first byte arrives. `isOurs` says whether texts are replies to a `SingleSendCommand`, and not to what
 * ioredis asks by itself, such as whether the server is still loading.
 */
export function readBulkReplies(socket: Receiver, isOurs: () => boolean): void {
  const readers = socket.listeners('data') as Listener[]
  if (readers.length !== 1) return
  const read = readers[0] as Listener
  const bounds = new ReplyBounds()
  let isWithin = false
  socket.off('data', read)
  const take = (piece: Buffer): void => {
    const isOwn = isOurs()
    /** Everything before it has been read. */
    let start = 0
    for (let at = 0; at < piece.length; ) {
      const reply = isOwn && !isWithin ? readReply(piece, at) : undefined
      if (reply === undefined) {
        const end = bounds.end(piece, at)
        isWithin = end < 0
        at = isWithin ? piece.length : end
        continue
      }
      if (at > start) read.call(socket, piece.subarray(start, at))
      taken = reply
      read.call(socket, emptyList)
      taken = undefined
      at = position
      start = at
    }
    if (start < piece.length) read.call(socket, start === 0 ? piece : piece.subarray(start))
  }
  socket.prependListener('data', (piece: Buffer) => {
    try {
      take(piece)
    } catch (error) {
      taken = undefined
      // Thrown out of a socket's event it would end the process. What follows on this connection means nothing any more.
      socket.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  })
}

/** Where `readTexts` has come to. */
let position = 0

/** The whole text or list of texts that begins at `start`, if there is one and it ends within this piece. */
function readReply(piece: Buffer, start: number): Texts | Buffer | undefined {
  const type = piece[start]
  if (type === array) return readTexts(piece, start)
  if (type !== text) return undefined
  const size = readSize(piece, start + 1)
  if (size < 0) return undefined
  const from = position
  position += size + 2
  return position > piece.length ? undefined : piece.subarray(from, from + size)
}

function readTexts(piece: Buffer, start: number): Texts | undefined {
  const count = readSize(piece, start + 1)
  if (count < 1) return undefined
  const texts: Texts = []
  for (let index = 0; index < count; index++) {
    const type = piece[position]
    if (type !== text) {
      if (type !== none || position + 3 > piece.length) return undefined
      position += 3
      texts.push(null)
      continue
    }
    const size = readSize(piece, position + 1)
    if (size === -2) return undefined
    if (size === -1) {
      texts.push(null)
      continue
    }
    const from = position
    position += size + 2
    if (position > piece.length) return undefined
    texts.push(piece.subarray(from, from + size))
  }
  return texts
}

/** The number at `at`, and -2 where there is none that is whole; `position` is then behind its line end. */
function readSize(piece: Buffer, at: number): number {
  let byte = piece[at]
  if (byte === dash) {
    position = at + 4
    return position <= piece.length && piece[at + 1] === zero + 1 && piece[at + 2] === cr ? -1 : -2
  }
  let size = 0
  let next = at
  while (byte !== undefined && byte >= zero && byte <= nine) {
    size = size * 10 + byte - zero
    byte = piece[++next]
  }
  position = next + 2
  return next > at && piece[next] === cr && position <= piece.length ? size : -2
}
