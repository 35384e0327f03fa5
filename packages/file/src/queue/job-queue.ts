import { randomBytes } from 'node:crypto'
import { CacheError, cacheErrorCode, checkOptions, type Item, invalidArgument, wholeNumber } from '@cache/core/backend'
import type { Store } from '../directory/directory-handle.ts'
import { concernsOneFile, damaged } from '../errors.ts'
import type { ItemIndex } from '../index/item-index.ts'
import { keyText } from '../index/key-text.ts'
import type { Items } from '../items.ts'
import { checksum } from '../values/encoded-item.ts'

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
  readonly position: number
  readonly pushed_at: number
  readonly attempts: number
  readonly checksum: number
  readonly file: string | null
  readonly frame: Uint8Array | null
}

/** What reading a message came to: its value, boxed because it may be any; damage that is for good; or a failure of this reader. */
type Reading = { readonly of: unknown } | 'damaged' | 'unreadable'

const columns = 'id, position, pushed_at, attempts, checksum, file, frame'
/** Expired messages that are removed, and messages that are counted, in one turn. */
const removalStep = 200
const countStep = 5000

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
  async push(queue: string, value: unknown, options: PushOptions): Promise<number> {
    checkOptions(options, ['side', 'expiresAt'], 'push')
    const text = queueText(queue, 'push')
    const side = sideOf(options.side ?? 'back', 'push')
    const expiresAt = instant(options.expiresAt)
    const frame = this.#store.settings.format.encode(messageItem(queue, value))
    const large = frame.length > this.#store.settings.largeValueBytes
    if (large) await this.#store.prepare()
    const file = large ? await this.#store.values.write(frame) : null
    const push = (): Promise<number> =>
      this.#store.queue.write('push', undefined, (index, now) => {
        const row = index.one(
          `insert into message (queue, position, pushed_at, expires_at, bytes, checksum, file, frame)
           values (?, ?, ?, ?, ?, ?, ?, ?) returning id`,
          text,
          freePosition(index, text, side),
          now,
          expiresAt,
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
  async pull(queue: string, options: PullOptions): Promise<LeasedMessage | undefined> {
    checkOptions(options, ['lease', 'side'], 'pull')
    const lease = wholeNumber(options.lease ?? 30_000, 'lease', 'pull', 1)
    const side = sideOf(options.side ?? 'front', 'pull')
    const text = queueText(queue, 'pull')
    const token = randomBytes(9).toString('base64url')
    for (;;) {
      const row = await this.#store.queue.write('pull', undefined, (index, now) =>
        takeLease(index, text, token, now, now + lease, side),
      )
      if (row === 'later') continue
      if (row === undefined) return undefined
      const value = await this.#held(queue, row, token)
      if (typeof value === 'object') return this.#leased(row, value, token)
      // What is damaged would be handed out for ever. What this process cannot read may be another's to read: its lease ends.
      if (value === 'damaged') await this.#change('delete from message', row, token)
    }
  }

  /** The next message that nobody holds, which stays where it is; `undefined` when there is none. */
  async peek(queue: string, given: 'front' | 'back'): Promise<Message | undefined> {
    const text = queueText(queue, 'peekMessage')
    const side = sideOf(given, 'peekMessage')
    let last: number | undefined
    for (;;) {
      const after = last
      const row = await this.#store.queue.read('peek', undefined, (index, now) => next(index, text, now, side, after))
      if (row === undefined) return undefined
      const value = await this.#value(queue, row)
      if (typeof value === 'object') return messageOf(row, value)
      last = row.position
    }
  }

  /** How many messages are in the queue, held ones included. */
  async count(queue: string): Promise<number> {
    const text = queueText(queue, 'countMessages')
    let count = 0
    let after = Number.MIN_SAFE_INTEGER
    for (;;) {
      const from = after
      const { rows, live, last } = await this.#store.queue.read('count', undefined, (index, now) =>
        countAfter(index, text, from, now),
      )
      count += live
      if (rows < countStep || last === null) return count
      after = last
    }
  }

  #leased(row: MessageRow, value: { of: unknown }, token: string): LeasedMessage {
    const change = (sql: string, ...values: number[]): Promise<boolean> => this.#change(sql, row, token, ...values)
    return {
      ...messageOf(row, value),
      attempts: row.attempts + 1,
      leasedUntil: (row as MessageRow & { leased_until: number }).leased_until,
      ack: () => change('delete from message'),
      release: () => change('update message set leased_until = 0, lease = null'),
      extend: (lease) => change('update message set leased_until = ?', this.#store.now() + checkedLease(lease)),
    }
  }

  #change(sql: string, row: MessageRow, token: string, ...values: number[]): Promise<boolean> {
    return this.#store.queue.write('message', undefined, (index, now) => {
      // A lease that has run out may not be used any more, even where nobody else has taken the message yet.
      return index.run(`${sql} where id = ? and lease = ? and leased_until > ?`, ...values, row.id, token, now) > 0
    })
  }

  /** Reads a message that this process holds; gives it back where reading fails for a reason that has nothing to do with it. */
  async #held(queue: string, row: MessageRow, token: string): Promise<Reading> {
    try {
      return await this.#value(queue, row)
    } catch (error) {
      await this.#change('update message set leased_until = 0, lease = null', row, token)
      throw error
    }
  }

  /** What cannot be read is reported. */
  async #value(queue: string, row: MessageRow): Promise<Reading> {
    try {
      const frame = await this.#frame(row)
      if (!frame || checksum(keyText(queue), frame) !== row.checksum) {
        if (await this.#isThere(row)) this.#store.report(damaged(queue, 'the checksum of a message differs'), 'pull')
        return 'damaged'
      }
      return { of: this.#decode(queue, frame) }
    } catch (error) {
      if (cacheErrorCode(error) !== 'DAMAGED' && !concernsOneFile(error)) throw error
      this.#store.report(error, 'pull')
      return 'unreadable'
    }
  }

  /** The bytes of a message; nothing where they are gone for good. */
  async #frame({ file, frame }: MessageRow): Promise<Uint8Array | null | undefined> {
    if (file === null) return frame
    try {
      return await this.#store.values.read(file)
    } catch (error) {
      // The index names no file at all.
      if (cacheErrorCode(error) === 'DAMAGED') return undefined
      throw error
    }
  }

  /** The bytes are whole: whoever has another codec or another key may read them. */
  #decode(queue: string, frame: Uint8Array): unknown {
    try {
      return this.#store.settings.format.decode(queue, frame).value
    } catch (error) {
      throw damaged(queue, `a message cannot be decoded (${error instanceof Error ? error.message : error})`, error)
    }
  }

  /** Somebody may have handled a message while it was looked at. */
  async #isThere({ id }: MessageRow): Promise<boolean> {
    const sql = 'select 1 from message where id = ?'
    return (await this.#store.queue.read('pull', undefined, (index) => index.one(sql, id))) !== undefined
  }
}

function messageItem(queue: string, value: unknown): Item {
  if (value !== undefined) return { key: queue, value, version: 'm', createdAt: 0 }
  throw new CacheError('NOT_STORABLE', 'push: undefined is no message', { backend: 'file', operation: 'push' })
}

function queueText(queue: unknown, operation: string): string {
  if (typeof queue === 'string') return keyText(queue)
  throw invalidArgument('queue', queue, 'a string', operation)
}

function sideOf(side: unknown, operation: string): 'front' | 'back' {
  if (side === 'front' || side === 'back') return side
  throw invalidArgument('side', side, "'front' or 'back'", operation)
}

function instant(expiresAt: unknown): number | null {
  if (expiresAt === undefined) return null
  if (typeof expiresAt === 'number' && Number.isFinite(expiresAt)) return Math.ceil(expiresAt)
  throw invalidArgument('expiresAt', expiresAt, 'an instant in milliseconds', 'push')
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

/** Asked for one edge alone: both in one query would read the whole queue. */
function freePosition(index: ItemIndex, queue: string, side: 'front' | 'back'): number {
  const sql =
    side === 'back'
      ? 'select coalesce(max(position), 0) + 1 as free from message where queue = ?'
      : 'select coalesce(min(position), 1) - 1 as free from message where queue = ?'
  return (index.one(sql, queue) as { free: number }).free
}

/** The next message from that side that nobody holds, beyond the position `after` where one is given. */
function next(
  index: ItemIndex,
  queue: string,
  now: number,
  side: 'front' | 'back',
  after: number | undefined,
): MessageRow | undefined {
  const [order, beyond] = side === 'front' ? ['asc', '>'] : ['desc', '<']
  const from = after ?? (side === 'front' ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER)
  return index.one(
    `select ${columns} from message where queue = ? and position ${beyond} ? and leased_until <= ?
     and (expires_at is null or expires_at > ?) order by position ${order} limit 1`,
    queue,
    from,
    now,
    now,
  ) as MessageRow | undefined
}

function countAfter(
  index: ItemIndex,
  queue: string,
  after: number,
  now: number,
): { readonly rows: number; readonly live: number; readonly last: number | null } {
  return index.one(
    `select count(*) as rows, count(*) filter (where expires_at is null or expires_at > ?) as live, max(position) as last
     from (select position, expires_at from message where queue = ? and position > ? order by position limit ${countStep})`,
    now,
    queue,
    after,
  ) as { rows: number; live: number; last: number | null }
}

/** `later` where so many messages had expired that the turn must end first. */
function takeLease(
  index: ItemIndex,
  queue: string,
  token: string,
  now: number,
  until: number,
  side: 'front' | 'back',
): (MessageRow & { readonly leased_until: number }) | 'later' | undefined {
  if (index.removeExpiredMessages(now, removalStep) === removalStep) return 'later'
  const row = next(index, queue, now, side, undefined)
  if (row === undefined) return undefined
  index.run(
    'update message set lease = ?, leased_until = ?, attempts = attempts + 1 where id = ?',
    token,
    until,
    row.id,
  )
  return { ...row, leased_until: until }
}
