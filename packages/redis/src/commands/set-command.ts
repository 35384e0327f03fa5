import type { StoredKeys } from '../wire/backend-keys.ts'
import type { EncodedItem } from '../wire/encoded-item.ts'
import type { StoredItems } from '../wire/item-encoding.ts'
import { type SendOptions, SingleSendCommand } from './single-send-command.ts'

/** `SET` of one item, or `UNLINK` when its life is over by then, whose bytes are made straight from key, item and what is left. */
export class SetCommand extends SingleSendCommand {
  readonly #write: EncodedItem
  readonly #keys: StoredKeys
  readonly #items: StoredItems

  constructor(write: EncodedItem, keys: StoredKeys, items: StoredItems, options?: SendOptions) {
    super('set', [write.key], options)
    this.#write = write
    this.#keys = keys
    this.#items = items
  }

  protected override bytes(): Buffer {
    const { key, bytes, expiresAt } = this.#write
    if (expiresAt === undefined) return this.#keys.setCommand(key, bytes)
    // A command may wait for its connection first, and its item's lifetime goes on.
    const life = this.#items.remaining(expiresAt)
    return life === 0 ? this.#keys.command('unlink', [key]) : this.#keys.setCommand(key, bytes, life)
  }
}
