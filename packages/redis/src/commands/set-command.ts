import type { BackendKeys } from '../wire/backend-keys.ts'
import type { EncodedItem } from '../wire/encoded-item.ts'
import type { ItemEncoding } from '../wire/item-encoding.ts'
import { type SendOptions, SingleSendCommand } from './single-send-command.ts'

/** `SET` of one item, or `UNLINK` when its life is over by then, whose bytes are made straight from key, item and what is left. */
export class SetCommand extends SingleSendCommand {
  readonly #write: EncodedItem
  readonly #keys: BackendKeys
  readonly #items: ItemEncoding

  constructor(write: EncodedItem, keys: BackendKeys, items: ItemEncoding, options?: SendOptions) {
    super('set', [write.key], options)
    this.#write = write
    this.#keys = keys
    this.#items = items
  }

  protected override bytes(): Buffer {
    const { key, bytes, expiresAt } = this.#write
    if (expiresAt === undefined) return this.#keys.encodeSet(key, bytes)
    // A command may wait for its connection first, and its item's lifetime goes on.
    const life = this.#items.lifetimeUntil(expiresAt)
    return life === 0 ? this.#keys.encodeKeys('unlink', [key]) : this.#keys.encodeSet(key, bytes, life)
  }
}
