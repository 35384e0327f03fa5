import type { Durations } from './next-types.ts'

/**
 * Invalidations of a part of all tags. `count` is a logical clock: each invalidation gets the next number, and an entry remembers the
 * number at which it was stored. So the order of an invalidation and of a stored entry does not depend on clocks of machines.
 */
export interface TagShard {
  /** A lost shard comes back with another id. Entries that remember the old one are expired, since invalidations are lost with it. */
  readonly id: string
  readonly createdAt: number
  readonly count: number
  /** Invalidations up to this number are forgotten one by one: all entries from before it are expired. */
  readonly floor: number
  readonly floorAt: number
  readonly marks: ReadonlyMap<string, TagMark>
}

/** The invalidations of one tag: numbers of the logical clock, and instants. */
export interface TagMark {
  /** The last one that expired its entries. */
  readonly expired?: readonly [count: number, at: number]
  /** The last one that made its entries stale. */
  readonly stale?: readonly [count: number, at: number]
  /** Those that expire the entries from before them at a later instant. */
  readonly later?: readonly (readonly [count: number, at: number, expiresAt: number])[]
}

export type TagState = 'valid' | 'stale' | 'expired'

/** The worst of the states. */
export function worst(states: readonly TagState[]): TagState {
  if (states.includes('expired')) return 'expired'
  return states.includes('stale') ? 'stale' : 'valid'
}

const mostMarks = 1000
const mostLater = 8

export function emptyShard(id: string, now: number): TagShard {
  return { id, createdAt: now, count: 0, floor: 0, floorAt: 0, marks: new Map() }
}

/** The shard after an invalidation of the tags. Marks that no entry can be older than are left out: entries live for `maxAge`. */
export function invalidate(
  shard: TagShard,
  tags: readonly string[],
  durations: Durations | undefined,
  now: number,
  maxAge: number,
): TagShard {
  const count = shard.count + 1
  const marks = new Map([...shard.marks].filter(([, mark]) => lastInstant(mark) > now - maxAge))
  for (const tag of tags) {
    const mark = nextMark(marks.get(tag) ?? {}, count, durations, now)
    // The last tags of the map are those invalidated last.
    marks.delete(tag)
    marks.set(tag, mark)
  }
  let { floor, floorAt } = shard
  for (const [tag, mark] of marks) {
    if (marks.size <= mostMarks) break
    floor = Math.max(floor, lastCount(mark))
    floorAt = Math.max(floorAt, lastInstant(mark))
    marks.delete(tag)
  }
  return { ...shard, count, floor, floorAt, marks }
}

function nextMark(mark: TagMark, count: number, durations: Durations | undefined, now: number): TagMark {
  if (durations === undefined) return { expired: [count, now] }
  const stale = [count, now] as const
  if (durations.expire === undefined) return { ...mark, stale }
  const expiresAt = now + durations.expire * 1000
  if (expiresAt <= now) return { expired: [count, now] }
  // An earlier one that ends later has no effect of its own.
  const later = [...(mark.later ?? []).filter(([, , at]) => at < expiresAt), [count, now, expiresAt] as const]
  return { ...mark, stale, later: joined(later) }
}

/** Joins the first two of too many: entries of both then expire at the earlier of the two instants. */
function joined(later: NonNullable<TagMark['later']>): NonNullable<TagMark['later']> {
  const [first, second, ...rest] = later
  if (first === undefined || second === undefined || later.length <= mostLater) return later
  return [[second[0], second[1], first[2]], ...rest]
}

function lastCount({ expired, stale, later = [] }: TagMark): number {
  return Math.max(expired?.[0] ?? 0, stale?.[0] ?? 0, ...later.map(([count]) => count))
}

function lastInstant({ expired, stale, later = [] }: TagMark): number {
  return Math.max(expired?.[1] ?? 0, stale?.[1] ?? 0, ...later.map(([, at]) => at))
}

/** The state of an entry that was stored when the clock of the shard had this number. */
export function stateSince(shard: TagShard, tag: string, seen: number, now: number): TagState {
  const mark = shard.marks.get(tag)
  if (seen < shard.floor) return 'expired'
  if (mark === undefined) return 'valid'
  const ended = (mark.later ?? []).some(([count, , expiresAt]) => count > seen && expiresAt <= now)
  if (ended || (mark.expired?.[0] ?? 0) > seen) return 'expired'
  return (mark.stale?.[0] ?? 0) > seen ? 'stale' : 'valid'
}

/** The state of an entry that was made at this instant, for a tag that is not stored with it. An invalidation within `tolerance` before counts. */
export function stateAt(shard: TagShard, tag: string, madeAt: number, now: number, tolerance: number): TagState {
  const mark = shard.marks.get(tag)
  const after = madeAt - tolerance
  // A shard that was made after the entry has lost the invalidations before.
  if (shard.createdAt > madeAt || (shard.floor > 0 && shard.floorAt >= after)) return 'expired'
  if (mark === undefined) return 'valid'
  const ended = (mark.later ?? []).some(([, at, expiresAt]) => at >= after && expiresAt <= now)
  if (ended || (mark.expired !== undefined && mark.expired[1] >= after)) return 'expired'
  return mark.stale !== undefined && mark.stale[1] >= after ? 'stale' : 'valid'
}

/** The number of the clock that an entry made at this instant remembers: one from before the invalidations that it may have missed. */
export function seenBy(shard: TagShard, tags: readonly string[], madeAt: number, tolerance: number): number {
  const missed = tags.flatMap((tag) => {
    const { stale, later = [] } = shard.marks.get(tag) ?? {}
    const marks = [...(stale === undefined ? [] : [stale]), ...later]
    return marks.filter(([, at]) => at >= madeAt - tolerance).map(([count]) => count - 1)
  })
  return Math.min(shard.count, ...missed)
}
