import type { Socket } from 'node:net'
import { Command } from 'ioredis'
import { keySlot } from '../cluster/key-slot.ts'
import { errorWithCode } from '../errors.ts'
import { replaceReply } from '../wire/read-bulk-replies.ts'
import { formOf, type ReplyShape } from '../wire/reply-shapes.ts'
import { endFaulty, faultOf } from '../wire/socket-faults.ts'
import { type Argument, writeCommand } from '../wire/write-command.ts'

export interface SendOptions {
  /** Updates arguments that depend on the time of writing, such as the rest of a lifetime. */
  readonly refreshArgs?: (args: unknown[]) => void
  /** Whether the command leaves without waiting for the other commands of the tick. Default false. */
  readonly immediate?: boolean
  /**
   * Whether the command fails while the keys of its slot lie on two nodes. Otherwise it is sent again until the slot
   * has moved. Default false.
   */
  readonly failsWhenSplit?: boolean
  /**
   * The key that determines the node of a Cluster. This package looks up the node itself, because the look-up of
   * ioredis costs as much as the rest of the call. It also takes some braces for a hash tag that are none. The command
   * then goes to a wrong node first, and later commands overtake it.
   */
  readonly key?: string | Buffer
  /** Makes the error that the command rejects with. One more promise for that would cost more. */
  readonly toError?: (error: Error) => Error
  /** The form of the reply. Default: any. */
  readonly shape?: ReplyShape
}

/** The bytes in place of a command that must not be sent. Their reply settles nothing. */
const placeholder = '*1\r\n$4\r\nPING\r\n'

/**
 * A command that leaves this process at most once, and never after its promise was rejected.
 *
 * ioredis would send unanswered commands again after a reconnect: an injected client has this by default, and the
 * client of a Cluster after a node disconnects. An increment whose reply was lost would count twice. A command in the
 * queue of ioredis would also run long after its caller received an error.
 *
 * The commands of one tick are held together and leave in one write, which is twice as fast as one write each.
 */
export class SingleSendCommand extends Command {
  /** The connection that the command was written to; `undefined` until then. */
  socket: Socket | undefined
  /** How many bytes that connection had received by then. A connection that receives none until the timeout is dead. */
  receivedBefore = 0
  /** When the command times out, by `performance.now()`. */
  timeoutAt = 0
  readonly #options: SendOptions

  constructor(name: string, args: readonly Argument[], options: SendOptions = {}) {
    // Without an encoding, replies are bytes.
    super(name, args as Argument[], { replyEncoding: null })
    this.#options = options
    const { toError } = options
    if (toError === undefined) return
    const { reject } = this
    this.reject = (error) => reject(toError(error))
  }

  get key(): string | Buffer | undefined {
    return this.#options.key
  }

  /** ioredis calls this to find the node. */
  override getSlot(): number {
    const { key } = this
    return key === undefined ? super.getSlot() : keySlot(key)
  }

  get failsWhenSplit(): boolean {
    return this.#options.failsWhenSplit === true
  }

  get wasWritten(): boolean {
    return this.socket !== undefined
  }

  /** Call this after the command was given to the client. */
  afterSend(): void {
    // The socket may hold other commands of the tick, which leave together with this one.
    const { socket } = this
    if (this.#options.immediate === true && socket !== undefined && socket.writableCorked > 0) socket.uncork()
  }

  /** Allows one more write, because a node of a Cluster replied that it did not run the command. */
  allowResend(): void {
    this.socket = undefined
  }

  /** ioredis calls this when it writes the command to the socket. */
  override toWritable(socket: object): string | Buffer {
    const connection = socket as Socket
    // Redis refused a step of the handshake: the connection may have another database or another user.
    const fault = faultOf(connection)
    if (this.isSettled || this.wasWritten || fault !== undefined) {
      if (!this.isSettled) this.reject(fault ?? new Error('Connection is closed.'))
      return placeholder
    }
    this.socket = connection
    this.receivedBefore = connection.bytesRead
    if (this.#options.immediate !== true) corkForTick(connection)
    this.#options.refreshArgs?.(this.args)
    this.beforeWrite(connection)
    return this.bytes()
  }

  override transformReply(result: Buffer | Buffer[]): ReturnType<Command['transformReply']> {
    const replaced = replaceReply(result)
    // A reply after the timeout, or to the placeholder.
    if (this.isSettled) return result
    const { socket } = this
    const fault = socket === undefined ? undefined : faultOf(socket)
    if (fault !== undefined) throw fault
    const reply = replaced === result ? withNumbers(result) : replaced
    if (this.accepts(reply)) return reply as Buffer | Buffer[]
    const error = errorWithCode(
      'UNAVAILABLE',
      `malformed reply: the reply to ${this.name.toUpperCase()} was ${formOf(reply)}`,
    )
    if (socket !== undefined) endFaulty(socket, error)
    // ioredis rejects the command with this error.
    throw error
  }

  /** Whether the reply has the form of the replies to this command. */
  protected accepts(reply: unknown): boolean {
    return this.#options.shape?.(reply) ?? true
  }

  /** The bytes that go to the server. */
  protected bytes(): string | Buffer {
    return writeCommand(this.name, this.args)
  }

  /** Called with the connection just before the command is written to it. */
  protected beforeWrite(_socket: Socket): void {}
}

/** Undoes the option `stringNumbers` of ioredis, which turns numbers into strings. Strings of Redis are bytes here. */
function withNumbers(reply: unknown): unknown {
  if (typeof reply === 'string') return Number(reply)
  if (!Array.isArray(reply)) return reply
  for (let index = 0; index < reply.length; index++) {
    const one: unknown = reply[index]
    if (typeof one === 'string' || Array.isArray(one)) reply[index] = withNumbers(one)
  }
  return reply
}

function corkForTick(socket: Socket): void {
  // The caller that corked the socket uncorks it.
  if (socket.writableCorked > 0) return
  socket.cork()
  process.nextTick(uncork, socket)
}

function uncork(socket: Socket): void {
  socket.uncork()
}
