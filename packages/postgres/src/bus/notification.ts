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
  characters: number
}

/** Senders whose messages may be incomplete at the same time; more of them cannot be honest. */
const mostAssemblies = 100
const mostParts = 2000
/** Characters of all messages that are incomplete at the same time: four of the longest. */
const mostCharacters = 4 * mostParts * mostBytes

/** Puts the parts of messages together. One per connection: after a loss nothing is left of what was begun. */
export class NotificationReader {
  readonly #assemblies = new Map<string, Assembly>()
  #characters = 0

  /** `'unreadable'` as well where an older message is given up: its changes are lost. */
  read(payload: string): Received {
    if (payload[0] === 'm') return decodeBusMessage(payload.slice(1)) ?? 'unreadable'
    const match = /^p([^/]{1,64})\/(\d{1,4})\/(\d{1,4}):/.exec(payload)
    if (match === null) return 'unreadable'
    return this.#piece(match[1] as string, Number(match[2]), Number(match[3]), payload.slice(match[0].length))
  }

  #piece(id: string, index: number, of: number, text: string): Received {
    const assembly = this.#assemblies.get(id) ?? { pieces: [], of, characters: 0 }
    this.#forget(id)
    if (index !== assembly.pieces.length || of !== assembly.of || index >= of || of > mostParts) return 'unreadable'
    assembly.pieces.push(text)
    if (assembly.pieces.length === of) return decodeBusMessage(assembly.pieces.join('')) ?? 'unreadable'
    assembly.characters += text.length
    this.#characters += assembly.characters
    this.#assemblies.set(id, assembly)
    let received: Received = 'incomplete'
    for (const oldest of this.#assemblies.keys()) {
      if (this.#assemblies.size <= mostAssemblies && this.#characters <= mostCharacters) break
      this.#forget(oldest)
      received = 'unreadable'
    }
    return received
  }

  #forget(id: string): void {
    this.#characters -= this.#assemblies.get(id)?.characters ?? 0
    this.#assemblies.delete(id)
  }
}
