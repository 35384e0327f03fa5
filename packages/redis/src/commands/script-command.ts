import type { Socket } from 'node:net'
import type { Argument } from '../wire/write-command.ts'
import type { Script } from './script.ts'
import { type SendOptions, SingleSendCommand } from './single-send-command.ts'

export interface ScriptCall extends SendOptions {
  readonly script: Script
  readonly keys: readonly Argument[]
  readonly args: readonly Argument[]
}

/** How many arguments of the command precede the keys: the hash and the number of keys. */
export const argsBeforeKeys: number = 2

/** The scripts that each connection has sent in full. */
const sentScripts = new WeakMap<Socket, Set<Script>>()

/**
 * Runs a script by its hash. The first call on each connection sends the text instead. So no call waits to learn
 * whether the server knows the script, and commands keep their order. Only SCRIPT FLUSH causes `NOSCRIPT`.
 */
export class ScriptCommand extends SingleSendCommand {
  readonly #script: Script
  readonly #inFull: boolean
  readonly #keyCount: number

  /** `refreshArgs` receives the hash, the number of keys, the keys and the arguments. `inFull` sends the text again. */
  constructor(call: ScriptCall, inFull = false) {
    const { script, keys, args } = call
    super('evalsha', [script.sha, keys.length, ...keys, ...args], { ...call, key: keys[0] as string | Buffer })
    this.#script = script
    this.#inFull = inFull
    this.#keyCount = keys.length
  }

  protected override accepts(reply: unknown): boolean {
    return this.#script.accepts(reply, this.#keyCount)
  }

  protected override beforeWrite(socket: Socket): void {
    let known = sentScripts.get(socket)
    if (known === undefined) {
      known = new Set()
      sentScripts.set(socket, known)
    }
    const isKnown = known.has(this.#script) && !this.#inFull
    known.add(this.#script)
    this.name = isKnown ? 'evalsha' : 'eval'
    this.args[0] = isKnown ? this.#script.sha : this.#script.text
  }
}
