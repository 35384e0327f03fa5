import type { StoredKeys } from '../wire/backend-keys.ts'
import { type SendOptions, SingleSendCommand } from './single-send-command.ts'

/** `GET` of one key or `MGET` of many, whose bytes are made straight from the keys. */
export class ReadCommand extends SingleSendCommand {
  readonly #keys: readonly string[]
  readonly #stored: StoredKeys

  constructor(keys: readonly string[], stored: StoredKeys, options?: SendOptions) {
    // What ioredis has no use for is left out, but for one that tells in an error what it was about.
    super(keys.length === 1 ? 'get' : 'mget', [keys[0] as string], options)
    this.#keys = keys
    this.#stored = stored
  }

  protected override bytes(): Buffer {
    return this.#stored.command(this.name, this.#keys)
  }
}
