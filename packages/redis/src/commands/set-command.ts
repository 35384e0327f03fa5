import type { CommandEncoder } from '../wire/command-encoder.ts'
import type { EncodedItem } from '../wire/encoded-item.ts'
import { isCount, isOk } from '../wire/reply-shapes.ts'
import { type SendOptions, SingleSendCommand } from './single-send-command.ts'

/** Knows how long items still live. */
export interface Lifetimes {
  /** Milliseconds from now to `expiresAt`; 0 when it has passed. */
  lifetimeUntil(expiresAt: number): number
}

/** `SET` of one item, or `UNLINK` when the item has expired by the time of writing. */
export class SetCommand extends SingleSendCommand {
  readonly #item: EncodedItem
  readonly #encoder: CommandEncoder
  readonly #lifetimes: Lifetimes
  #removes = false

  constructor(item: EncodedItem, encoder: CommandEncoder, lifetimes: Lifetimes, options?: SendOptions) {
    super('set', [item.key], options)
    this.#item = item
    this.#encoder = encoder
    this.#lifetimes = lifetimes
  }

  protected override bytes(): Buffer {
    const { key, bytes, expiresAt } = this.#item
    if (expiresAt === undefined) return this.#encoder.encodeSet(key, bytes)
    // The command may have waited for its connection, and the lifetime of its item ran on.
    const lifetime = this.#lifetimes.lifetimeUntil(expiresAt)
    this.#removes = lifetime === 0
    return this.#removes ? this.#encoder.encodeKeys('unlink', [key]) : this.#encoder.encodeSet(key, bytes, lifetime)
  }

  protected override accepts(reply: unknown): boolean {
    return this.#removes ? isCount(reply) : isOk(reply)
  }
}
