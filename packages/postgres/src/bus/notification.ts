import type { BusMessage } from '@cache/core/backend'
import { decodeBusMessage, encodeBusMessage } from '@cache/core/backend'

/**
 * Bytes of a payload of NOTIFY. PostgreSQL allows 7,999 bytes in the server's encoding, so all characters outside ASCII
 * are escaped. A longer message travels in parts:
 *
 *     m{…}              one message
 *     p<id>/<n>/<of>:…  part n of a message; parts arrive in order, because one session sends them in one transaction
 */
const mostBytes = 7000

let splitMessages = 0

// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern matches all characters outside ASCII
const outsideAscii = /[^\x00-\x7f]/g

/** The payloads of a message. `sender` distinguishes the parts of two senders. */
export function toPayloads(message: BusMessage, sender: string): string[] {
  const json = encodeBusMessage(message).replace(
    outsideAscii,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  if (json.length < mostBytes) return [`m${json}`]
  splitMessages += 1
  const id = `${sender}-${splitMessages.toString(36)}`
  const count = Math.ceil(json.length / mostBytes)
  return Array.from(
    { length: count },
    (_, index) => `p${id}/${index}/${count}:${json.slice(index * mostBytes, (index + 1) * mostBytes)}`,
  )
}

/** The content of a payload: a message, a part whose message is not complete yet, or unreadable text. */
export type Received = BusMessage | 'incomplete' | 'unreadable'

interface Assembly {
  readonly parts: string[]
  readonly of: number
  characters: number
}

/** The largest number of incomplete messages; more of them are damaged or malicious. */
const mostAssemblies = 100
const mostParts = 2000
/** The largest size of all incomplete messages, in characters: four of the longest messages. */
const mostCharacters = 4 * mostParts * mostBytes

/** Joins the parts of messages. Each connection has its own reader, so the parts from before a loss are discarded. */
export class NotificationReader {
  readonly #assemblies = new Map<string, Assembly>()
  #characters = 0

  /** Also returns `'unreadable'` when the oldest incomplete message is discarded, because its changes are lost. */
  read(payload: string): Received {
    if (payload[0] === 'm') return decodeBusMessage(payload.slice(1)) ?? 'unreadable'
    const match = /^p([^/]{1,64})\/(\d{1,4})\/(\d{1,4}):/.exec(payload)
    if (match === null) return 'unreadable'
    return this.#part(match[1] as string, Number(match[2]), Number(match[3]), payload.slice(match[0].length))
  }

  #part(id: string, index: number, of: number, text: string): Received {
    const assembly = this.#assemblies.get(id) ?? { parts: [], of, characters: 0 }
    this.#forget(id)
    if (index !== assembly.parts.length || of !== assembly.of || index >= of || of > mostParts) return 'unreadable'
    assembly.parts.push(text)
    if (assembly.parts.length === of) return decodeBusMessage(assembly.parts.join('')) ?? 'unreadable'
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
