import { type SendOptions, SingleSendCommand } from './single-send-command.ts'
import type { StoredKeys } from './stored-keys.ts'

/** `GET` of one key or `MGET` of many, whose bytes are made straight from the keys. */
export class ReadCommand extends SingleSendCommand {
  readonly #keys: readonly string[]
  readonly #stored: StoredKeys

  constructor(keys: readonly string[], stored: StoredKeys, options?: SendOptions) {
    // Of the arguments ioredis needs the first alone: it says which node of a Cluster has the keys.
    const key = stored.stored(keys[0] as string)
    super(keys.length === 1 ? 'get' : 'mget', [key], { ...options, key })
    this.#keys = keys
    this.#stored = stored
  }

  protected override bytes(): Buffer {
    return this.#stored.command(this.name, this.#keys)
  }
}
