import type { Socket } from 'node:net'
import { Command } from 'ioredis'
import { keySlot } from '../cluster/key-slot.ts'
import { replaceReply } from '../wire/read-bulk-replies.ts'
import { type Argument, writeCommand } from '../wire/write-command.ts'

export interface SendOptions {
  /** Brings arguments up to date that depend on when they are written, such as what is left of a lifetime. */
  readonly refreshArgs?: (args: unknown[]) => void
  /** Leaves without waiting for the other commands of the tick. Default false. */
  readonly immediate?: boolean
  /** Fails when the keys of its slot lie on two nodes, instead of being sent again until they do not. Default false. */
  readonly failsWhenSplit?: boolean
  /**
   * The key by which a Cluster is asked. This package looks up the node itself: ioredis' way costs as much as all the rest,
   * and takes some braces for a hash tag that are none; the detour by a wrong node would let later commands pass by.
   */
  readonly key?: string | Buffer
  /** What to reject with. A promise of its own for that costs more than this. */
  readonly failure?: (error: Error) => Error
}

/** What is written in the place of a command that must not be: its reply settles nothing. */
const nothing = '*1\r\n$4\r\nPING\r\n'

/**
 * A command that leaves this process at most once, and not at all after its caller was told that it failed.
 *
 * ioredis sends unanswered commands again when a connection comes back (its default, which an injected client may have), and
 * a Cluster client when a node's connection ends: an increment whose reply was lost would count twice. A command that waits
 * in ioredis' queue while the server is away would still be carried out long after its caller went on.
 *
 * The commands of one tick are held together and leave in one write, which is twice as fast as one write each.
 */
export class SingleSendCommand extends Command {
  /** The connection that it was written to, once it was. */
  socket: Socket | undefined
  /** What that connection had received until then: when nothing more came before the deadline, the connection is dead. */
  receivedBefore = 0
  /** By `performance.now()`. */
  timeoutAt = 0
  readonly #options: SendOptions

  constructor(name: string, args: readonly Argument[], options: SendOptions = {}) {
    // Without an encoding, replies are bytes.
    super(name, args as Argument[], { replyEncoding: null })
    this.#options = options
    const { failure } = options
    if (failure === undefined) return
    const { reject } = this
    this.reject = (error) => reject(failure(error))
  }

  get key(): string | Buffer | undefined {
    return this.#options.key
  }

  /** Asked for by ioredis when it has to find the node. */
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

  /** To be called once the client has it. */
  afterSend(): void {
    // Others of the tick may be held already, and go with it.
    const { socket } = this
    if (this.#options.immediate === true && socket !== undefined && socket.writableCorked > 0) socket.uncork()
  }

  /** Allows it to be written once more: a reply said that it was not carried out (a redirection of a Cluster node). */
  allowResend(): void {
    this.socket = undefined
  }

  /** ioredis asks for the bytes at the moment when it writes them to the socket. */
  override toWritable(socket: object): string | Buffer {
    if (this.isSettled || this.wasWritten) {
      if (!this.isSettled) this.reject(new Error('Connection is closed.'))
      return nothing
    }
    const connection = socket as Socket
    this.socket = connection
    this.receivedBefore = connection.bytesRead
    if (this.#options.immediate !== true) corkForTick(connection)
    this.#options.refreshArgs?.(this.args)
    this.beforeWrite(connection)
    return this.bytes()
  }

  override transformReply(result: Buffer | Buffer[]): ReturnType<Command['transformReply']> {
    const whole = replaceReply(result)
    return (whole === result ? withNumbers(result) : whole) as Buffer | Buffer[]
  }

  /** The command as it goes to the server. */
  protected bytes(): string | Buffer {
    return writeCommand(this.name, this.args)
  }

  /** Called with the connection just before it is written there. */
  protected beforeWrite(_socket: Socket): void {}
}

/** ioredis makes texts of numbers where its option `stringNumbers` is set; what is a text in Redis is bytes here. */
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
  // Whoever held it before lets it go.
  if (socket.writableCorked > 0) return
  socket.cork()
  process.nextTick(release, socket)
}

function release(socket: Socket): void {
  socket.uncork()
}
