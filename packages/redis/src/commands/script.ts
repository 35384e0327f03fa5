import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Argument } from '../wire/write-command.ts'
import { type SendOptions, SingleSendCommand } from './single-send-command.ts'

/** A Lua script, carried out by Redis as one step that nothing else comes between. */
export class Script {
  readonly text: string
  readonly sha: string

  constructor(text: string) {
    this.text = text.trim()
    this.sha = createHash('sha1').update(this.text).digest('hex')
  }
}

export interface ScriptCall extends SendOptions {
  readonly script: Script
  readonly keys: readonly Argument[]
  readonly args: readonly Argument[]
}

/** Scripts that each connection has sent in full. */
const sent = new WeakMap<Socket, Set<Script>>()

/**
 * Runs a script by its hash. The first time on each connection it sends the text instead, so that no reply ever has to be
 * waited for to know whether the server holds it, and commands keep their order. Only SCRIPT FLUSH brings `NOSCRIPT`.
 */
export class ScriptCommand extends SingleSendCommand {
  readonly #script: Script
  readonly #inFull: boolean

  /** `refreshArgs` sees the hash, the number of keys, the keys and the arguments. */
  constructor(call: ScriptCall, inFull = false) {
    const { script, keys, args } = call
    super('evalsha', [script.sha, keys.length, ...keys, ...args], { ...call, key: keys[0] as string | Buffer })
    this.#script = script
    this.#inFull = inFull
  }

  protected override beforeWrite(socket: Socket): void {
    let known = sent.get(socket)
    if (known === undefined) {
      known = new Set()
      sent.set(socket, known)
    }
    const isKnown = known.has(this.#script) && !this.#inFull
    known.add(this.#script)
    this.name = isKnown ? 'evalsha' : 'eval'
    this.args[0] = isKnown ? this.#script.sha : this.#script.text
  }
}
