import type { Duplex } from 'node:stream'

/** Why a connection must not be used, although it may still be open. */
const faults = new WeakMap<object, Error>()
/** What ends a connection that this package opened. */
const ends = new WeakMap<object, (error: Error) => void>()

/** The reason for which nothing may be sent on a connection, and for which its further replies count for nothing. */
export function faultOf(socket: object): Error | undefined {
  return faults.get(socket)
}

/** Nothing is sent on this connection from now on. */
export function setFault(socket: object, error: Error): void {
  faults.set(socket, error)
}

/** Marks a connection that this package opened, so that `endFaulty` may end it. `onEnd` is called before it ends. */
export function ownSocket(socket: Duplex, onEnd: () => void): void {
  ends.set(socket, (error) => {
    onEnd()
    socket.destroy(error)
  })
}

/**
 * Ends a connection after a reply that cannot be the reply to its command: the next replies may belong to other commands
 * too. A connection of the application stays open, because it also carries other commands.
 */
export function endFaulty(socket: object, error: Error): void {
  const end = ends.get(socket)
  if (end === undefined || faults.has(socket)) return
  faults.set(socket, error)
  end(error)
}
