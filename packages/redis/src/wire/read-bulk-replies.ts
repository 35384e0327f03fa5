import type { Duplex } from 'node:stream'
import { ReplyBounds } from './reply-bounds.ts'

type DataListener = (chunk: Buffer) => void
/** The members of a socket that `readBulkReplies` uses. */
type Receiver = Pick<Duplex, 'listeners' | 'off' | 'prependListener' | 'destroy'>
type BulkStrings = (Buffer | null)[]

const array = 0x2a
const bulkString = 0x24
const resp3Null = 0x5f
const cr = 13
const dash = 45
const zero = 48
const nine = 57

/** Checks that the peer sends one reply for each command. */
export interface ReplyGuard {
  /** How many commands wait for their replies. */
  waiting(): number
  /** Ends the connection. */
  onViolation(error: Error): void
}

const push = 0x3e
const attribute = 0x7c

/** The parser of ioredis receives this instead of a list of bulk strings: the shortest list that the protocol has. */
const emptyList = Buffer.from('*0\r\n')

/** The reply that was parsed here, while the parser of ioredis works on `emptyList`. */
let parsedReply: BulkStrings | Buffer | undefined

/** The reply that was parsed here, or else `reply` itself. Call it while ioredis settles the command. */
export function replaceReply(reply: unknown): unknown {
  if (parsedReply === undefined) return reply
  const parsed = parsedReply
  parsedReply = undefined
  return parsed
}

/**
 * Parses the replies of GET and MGET, which are bulk strings and lists of them, instead of ioredis.
 *
 * The parser of ioredis takes 300 ns for each string of a list; this one takes 50 (docs/decisions/0024). ioredis still
 * parses all other replies, and replies that arrive in several chunks.
 *
 * Call it before the first byte arrives. `isOwnReply` tells whether the next replies belong to a `SingleSendCommand`.
 * Otherwise they answer commands of ioredis itself, such as whether the server is still loading. With a guard, a reply
 * without a command ends the connection, and push messages are skipped: ioredis would throw errors about some of them from an
 * event, which ends the process.
 */
export function readBulkReplies(socket: Receiver, isOwnReply: () => boolean, guard?: ReplyGuard): void {
  const listeners = socket.listeners('data') as DataListener[]
  if (listeners.length !== 1) return
  const read = listeners[0] as DataListener
  const bounds = new ReplyBounds()
  let isInsideReply = false
  let isInsidePush = false
  socket.off('data', read)
  const receive = (chunk: Buffer): void => {
    const isOwn = isOwnReply()
    /** Everything before it has been read. */
    let start = 0
    const waiting = guard?.waiting() ?? Infinity
    let replies = isInsideReply && !isInsidePush ? 1 : 0
    for (let at = 0; at < chunk.length; ) {
      if (guard !== undefined && !isInsideReply) {
        const type = chunk[at]
        isInsidePush = type === push
        if (!isInsidePush) replies += 1
        if (replies > waiting || type === attribute) {
          if (at > start) read.call(socket, chunk.subarray(start, at))
          throw new Error('malformed reply: it answers no command')
        }
      }
      const reply = isOwn && !isInsideReply ? parseReply(chunk, at) : undefined
      if (reply === undefined) {
        const end = bounds.endOf(chunk, at)
        isInsideReply = end < 0
        const next = isInsideReply ? chunk.length : end
        if (isInsidePush) {
          if (at > start) read.call(socket, chunk.subarray(start, at))
          start = next
        }
        at = next
        continue
      }
      if (at > start) read.call(socket, chunk.subarray(start, at))
      parsedReply = reply
      read.call(socket, emptyList)
      parsedReply = undefined
      at = position
      start = at
    }
    if (start < chunk.length) read.call(socket, start === 0 ? chunk : chunk.subarray(start))
  }
  socket.prependListener('data', (chunk: Buffer) => {
    try {
      receive(chunk)
    } catch (error) {
      parsedReply = undefined
      // An error thrown from a socket event would end the process. The rest of this connection has no meaning.
      const failure = error instanceof Error ? error : new Error(String(error))
      guard?.onViolation(failure)
      socket.destroy(failure)
    }
  })
}

/** Where the next byte to parse is. */
let position = 0

/** The bulk string or list of bulk strings that begins at `start`; `undefined` unless this chunk holds all of it. */
function parseReply(chunk: Buffer, start: number): BulkStrings | Buffer | undefined {
  const type = chunk[start]
  if (type === array) return parseList(chunk, start)
  if (type !== bulkString) return undefined
  const size = parseSize(chunk, start + 1)
  if (size < 0) return undefined
  const from = position
  position += size + 2
  return position > chunk.length ? undefined : chunk.subarray(from, from + size)
}

function parseList(chunk: Buffer, start: number): BulkStrings | undefined {
  const count = parseSize(chunk, start + 1)
  if (count < 1) return undefined
  const strings: BulkStrings = []
  for (let index = 0; index < count; index++) {
    const type = chunk[position]
    if (type !== bulkString) {
      if (type !== resp3Null || position + 3 > chunk.length) return undefined
      position += 3
      strings.push(null)
      continue
    }
    const size = parseSize(chunk, position + 1)
    if (size === -2) return undefined
    if (size === -1) {
      strings.push(null)
      continue
    }
    const from = position
    position += size + 2
    if (position > chunk.length) return undefined
    strings.push(chunk.subarray(from, from + size))
  }
  return strings
}

/** The number at `at`, or -2 where the number is missing or incomplete. `position` is then after its line end. */
function parseSize(chunk: Buffer, at: number): number {
  let byte = chunk[at]
  if (byte === dash) {
    position = at + 4
    return position <= chunk.length && chunk[at + 1] === zero + 1 && chunk[at + 2] === cr ? -1 : -2
  }
  let size = 0
  let next = at
  while (byte !== undefined && byte >= zero && byte <= nine) {
    size = size * 10 + byte - zero
    byte = chunk[++next]
  }
  position = next + 2
  return next > at && chunk[next] === cr && position <= chunk.length ? size : -2
}
