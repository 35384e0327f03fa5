import type { ItemIndex } from '../index/item-index.ts'
import type { QueueSide } from './message.ts'

/** A message as the index has it. */
export interface MessageRow {
  readonly id: number
  readonly position: number
  readonly pushed_at: number
  readonly attempts: number
  readonly checksum: number
  readonly file: string | null
  readonly frame: Uint8Array | null
}

export interface LeasedRow extends MessageRow {
  readonly leased_until: number
}

/** A message as it is written to the index. */
export interface NewMessageRow {
  readonly queue: string
  readonly side: QueueSide
  readonly expiresAt: number | null
  readonly bytes: number
  readonly checksum: number
  readonly file: string | null
  readonly frame: Uint8Array | null
}

/** One step of a count. */
export interface CountStep {
  readonly rows: number
  readonly live: number
  readonly last: number | null
}

const columns = 'id, position, pushed_at, attempts, checksum, file, frame'
/** Expired messages that one transaction removes. */
const rowsPerRemoval = 200
/** Messages that one step of a count visits. */
export const rowsPerCount = 5000

/** Two queries, one for each end: a query for both would read the whole queue. */
const freePositionQueries: Readonly<Record<QueueSide, string>> = {
  front: 'select coalesce(min(position), 1) - 1 as free from message where queue = ?',
  back: 'select coalesce(max(position), 0) + 1 as free from message where queue = ?',
}

/** Inserts a message at the given end; returns its id. */
export function insertMessage(index: ItemIndex, row: NewMessageRow, now: number): number {
  const { free } = index.one(freePositionQueries[row.side], row.queue) as { free: number }
  const inserted = index.one(
    `insert into message (queue, position, pushed_at, expires_at, bytes, checksum, file, frame)
     values (?, ?, ?, ?, ?, ?, ?, ?) returning id`,
    row.queue,
    free,
    now,
    row.expiresAt,
    row.bytes,
    row.checksum,
    row.file,
    row.frame,
  ) as { id: number }
  return inserted.id
}

/** The next message from that end without a lease; with `after`, beyond that position. */
export function nextMessage(
  index: ItemIndex,
  queue: string,
  now: number,
  side: QueueSide,
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

/** Leases the next message; returns `'again'` after a full step of removals, so that the event loop can run. */
export function leaseMessage(
  index: ItemIndex,
  queue: string,
  token: string,
  now: number,
  until: number,
  side: QueueSide,
): LeasedRow | 'again' | undefined {
  if (index.removeExpiredMessages(now, rowsPerRemoval) === rowsPerRemoval) return 'again'
  const row = nextMessage(index, queue, now, side, undefined)
  if (row === undefined) return undefined
  index.run(
    'update message set lease = ?, leased_until = ?, attempts = attempts + 1 where id = ?',
    token,
    until,
    row.id,
  )
  return { ...row, leased_until: until }
}

/** Counts a step of messages after that position. */
export function countMessages(index: ItemIndex, queue: string, after: number, now: number): CountStep {
  return index.one(
    `select count(*) as rows, count(*) filter (where expires_at is null or expires_at > ?) as live, max(position) as last
     from (select position, expires_at from message where queue = ? and position > ? order by position limit ${rowsPerCount})`,
    now,
    queue,
    after,
  ) as CountStep
}
