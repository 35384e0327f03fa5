import type { BackendKeys } from '../wire/backend-keys.ts'
import { type SendOptions, SingleSendCommand } from './single-send-command.ts'

/** `GET` of one key or `MGET` of many, whose bytes are made straight from the keys. */
export class GetCommand extends SingleSendCommand {
  readonly #keys: readonly string[]
  readonly #backendKeys: BackendKeys

  constructor(keys: readonly string[], backendKeys: BackendKeys, options?: SendOptions) {
    // What ioredis has no use for is left out, but for one that tells in an error what it was about.
    super(keys.length === 1 ? 'get' : 'mget', [keys[0] as string], options)
    this.#keys = keys
    this.#backendKeys = backendKeys
  }

  protected override bytes(): Buffer {
    return this.#backendKeys.encodeKeys(this.name, this.#keys)
  }
}
