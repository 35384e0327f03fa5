import { randomBytes } from 'node:crypto'
import {
  CacheError,
  cacheErrorCode,
  checkOptions,
  type Item,
  invalidArgument,
  oneOf,
  wholeNumber,
} from '@cache/core/backend'
import type { DirectoryAccess } from '../directory/directory-access.ts'
import { concernsOneFile, damaged } from '../errors.ts'
import { keyText } from '../index/key-text.ts'
import type { Items } from '../items.ts'
import { checksum } from '../values/encoded-item.ts'
import type { LeasedMessage, Message, PullOptions, PushOptions, QueueSide } from './message.ts'
import {
  countMessages,
  insertMessage,
  type LeasedRow,
  leaseMessage,
  type MessageRow,
  nextMessage,
  rowsPerCount,
} from './message-rows.ts'

/** The outcome of reading a message: its value in a box, permanent damage, or a failure of this reader alone. */
type Reading = { readonly value: unknown } | 'damaged' | 'unreadable'

const releaseSql = 'update message set leased_until = 0, lease = null'
const removeSql = 'delete from message'

/** The messages of all queues of a directory. */
export class MessageStore {
  readonly #directory: DirectoryAccess
  readonly #items: Pick<Items, 'withFile'>

  constructor(directory: DirectoryAccess, items: Pick<Items, 'withFile'>) {
    this.#directory = directory
    this.#items = items
  }

  async push(queue: string, value: unknown, options: PushOptions): Promise<number> {
    checkOptions(options, ['side', 'expiresAt'], 'push')
    const { values, settings } = this.#directory
    const side = checkSide(options.side ?? 'back', 'push')
    const expiresAt = checkInstant(options.expiresAt)
    const frame = settings.format.encode(messageItem(queue, value))
    const isLarge = frame.length > settings.largeValueBytes
    if (isLarge) await this.#directory.prepare()
    const file = isLarge ? await values.write(frame) : null
    const text = keyText(queue)
    const row = { queue: text, side, expiresAt, bytes: frame.length, checksum: checksum(text, frame) }
    const insert = (): Promise<number> =>
      this.#directory.queue.write('push', undefined, (index, now) =>
        insertMessage(index, { ...row, file, frame: file === null ? frame : null }, now),
      )
    return file === null ? insert() : this.#items.withFile(file, insert)
  }

  async pull(queue: string, options: PullOptions): Promise<LeasedMessage | undefined> {
    checkOptions(options, ['lease', 'side'], 'pull')
    const lease = wholeNumber(options.lease ?? 30_000, 'lease', 'pull', 1)
    const side = checkSide(options.side ?? 'front', 'pull')
    const text = keyText(queue)
    const token = randomBytes(9).toString('base64url')
    for (;;) {
      const row = await this.#directory.queue.write('pull', undefined, (index, now) =>
        leaseMessage(index, text, token, now, now + lease, side),
      )
      if (row === 'again') continue
      if (row === undefined) return undefined
      const reading = await this.#readLeased(queue, row, token)
      if (typeof reading === 'object') return this.#leased(row, reading.value, token)
      // A damaged message would be leased for ever. An unreadable one may be readable for others after its lease.
      if (reading === 'damaged') await this.#change(removeSql, row, token)
    }
  }

  async peek(queue: string, given: QueueSide): Promise<Message | undefined> {
    const text = keyText(queue)
    const side = checkSide(given, 'peek')
    let last: number | undefined
    for (;;) {
      const after = last
      const row = await this.#directory.queue.read('peek', undefined, (index, now) =>
        nextMessage(index, text, now, side, after),
      )
      if (row === undefined) return undefined
      const reading = await this.#read(queue, row)
      if (typeof reading === 'object') return messageOf(row, reading.value)
      last = row.position
    }
  }

  async count(queue: string): Promise<number> {
    const text = keyText(queue)
    let count = 0
    let after = Number.MIN_SAFE_INTEGER
    for (;;) {
      const from = after
      const step = await this.#directory.queue.read('count', undefined, (index, now) =>
        countMessages(index, text, from, now),
      )
      count += step.live
      if (step.rows < rowsPerCount || step.last === null) return count
      after = step.last
    }
  }

  #leased(row: LeasedRow, value: unknown, token: string): LeasedMessage {
    return {
      ...messageOf(row, value),
      attempts: row.attempts + 1,
      leasedUntil: row.leased_until,
      ack: () => this.#change(removeSql, row, token),
      release: () => this.#change(releaseSql, row, token),
      extend: (lease) => {
        const until = this.#directory.now() + checkLease(lease)
        return this.#change('update message set leased_until = ?', row, token, until)
      },
    }
  }

  #change(sql: string, row: MessageRow, token: string, ...values: number[]): Promise<boolean> {
    return this.#directory.queue.remove('message', undefined, (index, now) => {
      // An ended lease is invalid, even when no other caller has leased the message since.
      return index.run(`${sql} where id = ? and lease = ? and leased_until > ?`, ...values, row.id, token, now) > 0
    })
  }

  /** Reads a leased message. After a failure that does not concern the message itself, it is released. */
  async #readLeased(queue: string, row: MessageRow, token: string): Promise<Reading> {
    try {
      return await this.#read(queue, row)
    } catch (error) {
      await this.#change(releaseSql, row, token)
      throw error
    }
  }

  /** Reads a message. Damaged and unreadable messages are reported. */
  async #read(queue: string, row: MessageRow): Promise<Reading> {
    try {
      const frame = await this.#frameOf(row)
      if (!frame || checksum(keyText(queue), frame) !== row.checksum) {
        if (await this.#exists(row)) this.#directory.report(damaged(queue, 'the checksum of a message differs'), 'pull')
        return 'damaged'
      }
      return { value: this.#decode(queue, frame) }
    } catch (error) {
      if (cacheErrorCode(error) !== 'DAMAGED' && !concernsOneFile(error)) throw error
      this.#directory.report(error, 'pull')
      return 'unreadable'
    }
  }

  /** The bytes of a message; absent when they are lost. */
  async #frameOf({ file, frame }: MessageRow): Promise<Uint8Array | null | undefined> {
    if (file === null) return frame
    try {
      return await this.#directory.values.read(file)
    } catch (error) {
      // The index has no valid file name.
      if (cacheErrorCode(error) === 'DAMAGED') return undefined
      throw error
    }
  }

  /**
   * The value of undamaged bytes. Another process with another codec or key may be able to read them when this one
   * fails.
   */
  #decode(queue: string, frame: Uint8Array): unknown {
    try {
      return this.#directory.settings.format.decode(queue, frame).value
    } catch (error) {
      throw damaged(queue, `a message cannot be decoded (${error instanceof Error ? error.message : error})`, error)
    }
  }

  /** Whether the message still exists: another caller may have handled it during the read. */
  async #exists({ id }: MessageRow): Promise<boolean> {
    const sql = 'select 1 from message where id = ?'
    return (await this.#directory.queue.read('pull', undefined, (index) => index.one(sql, id))) !== undefined
  }
}

function messageItem(queue: string, value: unknown): Item {
  if (value !== undefined) return { key: queue, value, version: 'm', createdAt: 0 }
  const message = 'push: undefined cannot be a message; use null'
  throw new CacheError('NOT_STORABLE', message, { backend: 'file', operation: 'push' })
}

function messageOf(row: MessageRow, value: unknown): Message {
  return { id: row.id, value, pushedAt: row.pushed_at, attempts: row.attempts }
}

function checkSide(side: unknown, method: string): QueueSide {
  return oneOf(side, ['front', 'back'], 'side', method)
}

function checkInstant(expiresAt: unknown): number | null {
  if (expiresAt === undefined) return null
  if (typeof expiresAt === 'number' && Number.isFinite(expiresAt)) return Math.ceil(expiresAt)
  throw invalidArgument('expiresAt', expiresAt, 'an instant in milliseconds', 'push')
}

function checkLease(lease: number): number {
  if (Number.isFinite(lease) && lease > 0) return lease
  throw invalidArgument('lease', lease, 'milliseconds above 0', 'extend')
}
