import type { BusMessage } from '@cache/core/backend'
import { decodeBusMessage, encodeBusMessage } from '@cache/core/backend'

/**
 * How messages become the payloads of NOTIFY. A payload holds at most 7,999 bytes in the server's encoding, so everything
 * beyond ASCII is escaped, and a message that is still longer travels in parts:
 *
 *     m{…}              one message
 *     p<id>/<n>/<of>:…  part n of a message; parts arrive in order, because one session sends them in one transaction
 */
const mostBytes = 7000

let parts = 0

// biome-ignore lint/suspicious/noControlCharactersInRegex: everything but ASCII is what it looks for
const beyondAscii = /[^\x00-\x7f]/g

/** The payloads of a message. `sender` tells the parts of two senders apart. */
export function toPayloads(message: BusMessage, sender: string): string[] {
  const json = encodeBusMessage(message).replace(
    beyondAscii,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  if (json.length < mostBytes) return [`m${json}`]
  parts += 1
  const id = `${sender}-${parts.toString(36)}`
  const count = Math.ceil(json.length / mostBytes)
  return Array.from(
    { length: count },
    (_, index) => `p${id}/${index}/${count}:${json.slice(index * mostBytes, (index + 1) * mostBytes)}`,
  )
}

/** What a payload turned out to be: a message, a part with more to come, or nothing that can be read. */
export type Received = BusMessage | 'incomplete' | 'unreadable'

interface Assembly {
  readonly pieces: string[]
  readonly of: number
}

/** Senders whose messages may be incomplete at the same time; more of them cannot be honest. */
const mostAssemblies = 100
const mostParts = 2000

/** Puts the parts of messages together. One per connection: after a loss nothing is left of what was begun. */
export class NotificationReader {
  readonly #assemblies = new Map<string, Assembly>()

  read(payload: string): Received {
    if (payload[0] === 'm') return decodeBusMessage(payload.slice(1)) ?? 'unreadable'
    const match = /^p([^/]{1,64})\/(\d{1,4})\/(\d{1,4}):/.exec(payload)
    if (match === null) return 'unreadable'
    return this.#piece(match[1] as string, Number(match[2]), Number(match[3]), payload.slice(match[0].length))
  }

  #piece(id: string, index: number, of: number, text: string): Received {
    const assembly = this.#assemblies.get(id) ?? { pieces: [], of }
    this.#assemblies.delete(id)
    if (index !== assembly.pieces.length || of !== assembly.of || of > mostParts) return 'unreadable'
    assembly.pieces.push(text)
    if (assembly.pieces.length === of) return decodeBusMessage(assembly.pieces.join('')) ?? 'unreadable'
    this.#assemblies.set(id, assembly)
    for (const oldest of this.#assemblies.keys()) {
      if (this.#assemblies.size <= mostAssemblies) break
      this.#assemblies.delete(oldest)
    }
    return 'incomplete'
  }
}
