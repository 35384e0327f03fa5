import type { Duplex } from 'node:stream'
import type { Redis } from 'ioredis'
import { shareListener } from './share-listener.ts'

/** The members of a command of ioredis that a handshake needs. */
interface HandshakeCommand {
  readonly name: string
  readonly args: readonly unknown[]
  readonly promise: Promise<unknown>
}

/** The queue of commands that wait for replies, which ioredis does not export. */
interface WithQueue {
  readonly commandQueue?: { toArray(): readonly { readonly command: HandshakeCommand }[] }
}

/** A step of the handshake that Redis refused. */
export interface RefusedStep {
  readonly socket: Duplex
  /** The step without secrets, such as `SELECT 99`. */
  readonly step: string
  /** The reply of Redis. */
  readonly reason: Error
}

/**
 * Calls `onRefusal` when Redis refuses a step of the handshake that the options ask for, on any connection of this client.
 *
 * ioredis goes on after most refusals: without SELECT the connection would use database 0, and without AUTH the rights of
 * another user. The steps stand in its queue when it emits `connect`, before any reply can arrive. Returns the function
 * that ends the watch.
 */
export function watchHandshake(client: Redis, onRefusal: (refused: RefusedStep) => void): () => void {
  const watch = (): void => {
    const { stream } = client
    // Another implementation of a client may have neither.
    const queue = (client as unknown as WithQueue).commandQueue
    if (stream === undefined || typeof queue?.toArray !== 'function') return
    let isVoid = false
    const commands = queue.toArray().map((waiting) => waiting.command)
    for (const command of commands) {
      const step = stepOf(command)
      if (step === undefined) continue
      command.promise.then(
        (reply) => {
          if (isVoid || isAccepted(command.name, reply)) return
          onRefusal({ socket: stream, step, reason: new Error('its reply is not the one of this command') })
        },
        (reason: Error) => {
          if (isVoid) return
          if (command.name !== 'hello' || !lacksProtocol3(reason)) {
            onRefusal({ socket: stream, step, reason })
            return
          }
          // With all replies, ioredis repeats the steps with RESP2. Steps after this HELLO, which may have held AUTH, are void.
          isVoid = true
          void Promise.allSettled(commands.map(({ promise }) => promise)).then(() => process.nextTick(watch))
        },
      )
    }
  }
  if (client.status === 'connect') watch()
  return shareListener(client, 'connect', watch)
}

/** The name of a step that the options ask for. ioredis sends CLIENT SETINFO by itself, which older servers refuse. */
function stepOf({ name, args }: HandshakeCommand): string | undefined {
  switch (name) {
    case 'hello':
      return args.length > 1 ? 'HELLO with AUTH' : 'HELLO'
    case 'auth':
      return 'AUTH'
    case 'select':
      return `SELECT ${args[0]}`
    case 'readonly':
      return 'READONLY'
    case 'client':
      return String(args[0]).toLowerCase() === 'setname' ? 'CLIENT SETNAME' : undefined
    default:
      return undefined
  }
}

function isAccepted(name: string, reply: unknown): boolean {
  return name === 'hello' ? typeof reply === 'object' && reply !== null : String(reply) === 'OK'
}

/** Whether a server without RESP3 refused HELLO. */
function lacksProtocol3({ message }: Error): boolean {
  const text = message.toUpperCase()
  return text.includes('NOPROTO') || (text.includes('UNKNOWN COMMAND') && text.includes('HELLO'))
}
