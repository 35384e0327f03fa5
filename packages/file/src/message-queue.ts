import { randomBytes } from 'node:crypto'
import { CacheError, type Item } from '@cache/core/backend'
import { damaged } from './errors.ts'
import type { ItemIndex } from './item-index.ts'
import type { Items } from './items.ts'
import { keyText } from './key-text.ts'
import type { Store } from './store.ts'
import { checksum } from './stored-item.ts'

export interface PushOptions {
  /** Where the message goes. Default `'back'`. */
  readonly side?: 'front' | 'back'
  /** Instant from which nobody gets it any more. Default: never. */
  readonly expiresAt?: number
}

export interface PullOptions {
  /** Milliseconds for which nobody else gets the message. Default 30,000. */
  readonly lease?: number
  /** From where the message is taken. Default `'front'`. */
  readonly side?: 'front' | 'back'
}

/** A message as `peek` shows it. */
export interface Message<Value = unknown> {
  readonly id: number
  readonly value: Value
  readonly pushedAt: number
  /** How often it was handed out. More than once: whoever had it did not finish in time. */
  readonly attempts: number
}

/** A message that was handed out to this caller alone, until its lease ends. */
export interface LeasedMessage<Value = unknown> extends Message<Value> {
  readonly leasedUntil: number
  /** Removes the message. Resolves to `false` when the lease had ended and somebody else has it now, or had. */
  ack(): Promise<boolean>
  /** Gives the message back at once. Resolves to `false` when the lease had ended. */
  release(): Promise<boolean>
  /** Makes the lease end that many milliseconds from now. Resolves to `false` when it had ended. */
  extend(lease: number): Promise<boolean>
}

interface MessageRow {
  readonly id: number
  readonly pushed_at: number
  readonly attempts: number
  readonly checksum: number
  readonly file: string | null
  readonly frame: Uint8Array | null
}

const columns = 'id, pushed_at, attempts, checksum, file, frame'

/**
 * Queues that outlive processes and are shared by them. A pulled message stays in the queue under a lease, and belongs to
 * whoever holds the lease: when the holder dies or takes too long, the message is handed out again. So each message is
 * handled at least once, and exactly once as long as whoever handles it acknowledges within the lease.
 *
 * Messages are no items: `clear`, limits and policies leave them alone.
 */
export class MessageQueue {
  readonly #store: Store
  readonly #items: Items

  constructor(store: Store, items: Items) {
    this.#store = store
    this.#items = items
  }

  /** Resolves to the message's id. */
  async push(queue: string, value: unknown, { side = 'back', expiresAt }: PushOptions): Promise<number> {
    const frame = this.#store.settings.format.encode(messageItem(queue, value))
    const text = keyText(queue)
    const large = frame.length > this.#store.settings.largeValueBytes
    if (large) await this.#store.prepare()
    const file = large ? await this.#store.values.write(frame) : null
    const push = (): Promise<number> =>
      this.#store.queue.write('push', undefined, (index, now) => {
        const edge = index.one(
          `select coalesce(min(position), 1) as front, coalesce(max(position), 0) as back
          from message where queue = ?`,
          text,
        ) as { front: number; back: number }
        const row = index.one(
          `insert into message (queue, position, pushed_at, expires_at, bytes, checksum, file, frame)
           values (?, ?, ?, ?, ?, ?, ?, ?) returning id`,
          text,
          side === 'back' ? edge.back + 1 : edge.front - 1,
          now,
          expiresAt ?? null,
          frame.length,
          checksum(text, frame),
          file,
          file === null ? frame : null,
        ) as { id: number }
        return row.id
      })
    return file === null ? push() : this.#items.withFile(file, push)
  }

  /** The next message that nobody holds, held by the caller from now on; `undefined` when there is none. */
  async pull(queue: string, { lease = 30_000, side = 'front' }: PullOptions): Promise<LeasedMessage | undefined> {
    const token = randomBytes(9).toString('base64url')
    for (;;) {
      const row = await this.#store.queue.write('pull', undefined, (index, now) =>
        takeLease(index, keyText(queue), token, now, now + lease, side),
      )
      if (row === undefined) return undefined
      const value = await this.#value(queue, row)
      if (value !== undefined) return this.#leased(row, value, token)
      // What cannot be read would be handed out for ever.
      await this.#store.queue.write('pull', undefined, (index) => index.run('delete from message where id = ?', row.id))
    }
  }

  /** The next message that nobody holds, which stays where it is; `undefined` when there is none. */
  async peek(queue: string, side: 'front' | 'back'): Promise<Message | undefined> {
    const row = await this.#store.queue.read('peek', undefined, (index, now) => next(index, keyText(queue), now, side))
    if (row === undefined) return undefined
    const value = await this.#value(queue, row)
    return value === undefined ? undefined : messageOf(row, value)
  }

  /** How many messages are in the queue, held ones included. */
  count(queue: string): Promise<number> {
    return this.#store.queue.read('count', undefined, (index, now) => {
      const sql = 'select count(*) as count from message where queue = ? and (expires_at is null or expires_at > ?)'
      return (index.one(sql, keyText(queue), now) as { count: number }).count
    })
  }

  #leased(row: MessageRow, value: { of: unknown }, token: string): LeasedMessage {
    const change = (sql: string, ...values: number[]): Promise<boolean> =>
      this.#store.queue.write('message', undefined, (index, now) => {
        // A lease that has run out may not be used any more, even where nobody else has taken the message yet.
        return index.run(`${sql} where id = ? and lease = ? and leased_until > ?`, ...values, row.id, token, now) > 0
      })
    return {
      ...messageOf(row, value),
      attempts: row.attempts + 1,
      leasedUntil: (row as MessageRow & { leased_until: number }).leased_until,
      ack: () => change('delete from message'),
      release: () => change('update message set leased_until = 0, lease = null'),
      extend: (lease) => change('update message set leased_until = ?', this.#store.now() + checkedLease(lease)),
    }
  }

  /** Boxed, because a message may hold any value; `undefined` when it cannot be read, which is reported. */
  async #value(queue: string, row: MessageRow): Promise<{ of: unknown } | undefined> {
    try {
      const frame = row.file === null ? row.frame : await this.#store.values.read(row.file)
      if (!frame || checksum(keyText(queue), frame) !== row.checksum)
        throw damaged(queue, 'the checksum of a message differs')
      return { of: this.#store.settings.format.decode(queue, frame).value }
    } catch (error) {
      this.#store.report(error, 'pull')
      return undefined
    }
  }
}

function messageItem(queue: string, value: unknown): Item {
  return { key: queue, value, version: 'm', createdAt: 0 }
}

function messageOf(row: MessageRow, value: { of: unknown }): Message {
  return { id: row.id, value: value.of, pushedAt: row.pushed_at, attempts: row.attempts }
}

function checkedLease(lease: number): number {
  if (Number.isFinite(lease) && lease > 0) return lease
  throw new CacheError('INVALID_ARGUMENT', `extend: lease must be milliseconds above 0, but was ${lease}`, {
    backend: 'file',
    operation: 'extend',
  })
}

function next(index: ItemIndex, queue: string, now: number, side: 'front' | 'back'): MessageRow | undefined {
  const order = side === 'front' ? 'asc' : 'desc'
  return index.one(
    `select ${columns} from message where queue = ? and leased_until <= ? and (expires_at is null or expires_at > ?)
     order by position ${order} limit 1`,
    queue,
    now,
    now,
  ) as MessageRow | undefined
}

function takeLease(
  index: ItemIndex,
  queue: string,
  token: string,
  now: number,
  until: number,
  side: 'front' | 'back',
): (MessageRow & { readonly leased_until: number }) | undefined {
  index.run('delete from message where queue = ? and expires_at <= ?', queue, now)
  const row = next(index, queue, now, side)
  if (row === undefined) return undefined
  index.run(
    'update message set lease = ?, leased_until = ?, attempts = attempts + 1 where id = ?',
    token,
    until,
    row.id,
  )
  return { ...row, leased_until: until }
}
