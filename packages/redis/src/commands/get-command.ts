import type { CommandEncoder } from '../wire/command-encoder.ts'
import { isBytesOrNil, isListOf } from '../wire/reply-shapes.ts'
import { type SendOptions, SingleSendCommand } from './single-send-command.ts'

/** `GET` of one key or `MGET` of many, written straight from the keys of the cache. */
export class GetCommand extends SingleSendCommand {
  readonly #keys: readonly string[]
  readonly #encoder: CommandEncoder

  constructor(keys: readonly string[], encoder: CommandEncoder, options?: SendOptions) {
    // ioredis uses the arguments only to name one of them in an error: the bytes come from `bytes`.
    super(keys.length === 1 ? 'get' : 'mget', [keys[0] as string], options)
    this.#keys = keys
    this.#encoder = encoder
  }

  protected override bytes(): Buffer {
    return this.#encoder.encodeKeys(this.name, this.#keys)
  }

  protected override accepts(reply: unknown): boolean {
    const { length } = this.#keys
    return length === 1 ? isBytesOrNil(reply) : isListOf(reply, length, isBytesOrNil)
  }
}
