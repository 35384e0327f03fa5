import { expect, it } from 'vitest'
import { emptyShard, invalidate, seenBy, stateAt, stateSince, type TagShard } from '../src/tag-shard.ts'

const second = 1000
const maxAge = 1000 * second

/** The shard after invalidations of the tag `t`, one each second from second 1 on, with these times of expiry. */
function shardOf(...expireTimes: readonly (number | 'now')[]): TagShard {
  return expireTimes.reduce<TagShard>(
    (shard, expire, index) => {
      const durations = expire === 'now' ? undefined : { expire }
      return invalidate(shard, ['t'], durations, (index + 1) * second, maxAge)
    },
    emptyShard('id', 0),
  )
}

it('an entry from after an invalidation is valid, and one from before it is not', () => {
  const shard = shardOf('now')
  expect(stateSince(shard, 't', 0, second)).toBe('expired')
  expect(stateSince(shard, 't', 1, second)).toBe('valid')
  expect(stateSince(shard, 'other', 0, second)).toBe('valid')
})

it('a later invalidation with an expire time does not revive an expired entry', () => {
  const shard = shardOf('now', 100)
  expect(stateSince(shard, 't', 0, 2 * second)).toBe('expired')
  expect(stateSince(shard, 't', 1, 2 * second)).toBe('stale')
  expect(stateSince(shard, 't', 2, 200 * second)).toBe('valid')
})

it('each entry expires by the invalidations after it', () => {
  const shard = shardOf(10, 100)
  const states = (now: number) => [0, 1, 2].map((seen) => stateSince(shard, 't', seen, now * second))
  expect(states(2)).toEqual(['stale', 'stale', 'valid'])
  expect(states(11)).toEqual(['expired', 'stale', 'valid'])
  expect(states(102)).toEqual(['expired', 'expired', 'valid'])
})

it('an invalidation without an expire time makes entries stale', () => {
  const shard = invalidate(emptyShard('id', 0), ['t'], {}, second, maxAge)
  expect(stateSince(shard, 't', 0, 500 * second)).toBe('stale')
})

it('an expire time of 0 expires at once', () => {
  expect(stateSince(shardOf(0), 't', 0, second)).toBe('expired')
})

it('of many expire times none is later than it should be', () => {
  const shard = shardOf(...Array.from({ length: 20 }, (_, index) => 100 + index))
  expect(stateSince(shard, 't', 0, 102 * second)).toBe('expired')
  expect(stateSince(shard, 't', 19, 102 * second)).toBe('stale')
  expect(stateSince(shard, 't', 19, 140 * second)).toBe('expired')
  expect(stateSince(shard, 't', 20, 140 * second)).toBe('valid')
  expect(shard.marks.get('t')?.later).toHaveLength(8)
})

it('entries from before a forgotten invalidation are expired, whatever their tag', () => {
  let shard = emptyShard('id', 0)
  for (let index = 1; index <= 1001; index += 1) shard = invalidate(shard, [`t${index}`], undefined, second, maxAge)
  expect(shard.marks.size).toBe(1000)
  expect(stateSince(shard, 't1', 0, second)).toBe('expired')
  expect(stateSince(shard, 'other', 0, second)).toBe('expired')
  expect(stateSince(shard, 'other', 1, second)).toBe('valid')
  expect(stateAt(shard, 't1', 0, second, 0)).toBe('expired')
  expect(stateAt(shard, 't1', 2 * second, 2 * second, 0)).toBe('valid')
})

it('invalidations older than every entry are left out', () => {
  const shard = invalidate(shardOf('now'), ['other'], undefined, second + maxAge, maxAge)
  expect([...shard.marks.keys()]).toEqual(['other'])
})

it('an instant within the tolerance after an invalidation counts as before it', () => {
  const shard = shardOf('now')
  expect(stateAt(shard, 't', 1500, 2 * second, 500)).toBe('expired')
  expect(stateAt(shard, 't', 1501, 2 * second, 500)).toBe('valid')
})

it('an entry from before the shard may have missed invalidations', () => {
  expect(stateAt(emptyShard('id', 5), 't', 4, 10, 0)).toBe('expired')
  expect(stateAt(emptyShard('id', 5), 't', 5, 10, 0)).toBe('valid')
})

it('an entry that was made before a stale mark sees a number from before it', () => {
  const shard = shardOf(100, 100)
  expect(seenBy(shard, ['t'], 3 * second, 0)).toBe(2)
  expect(seenBy(shard, ['t'], 1500, 0)).toBe(1)
  expect(seenBy(shard, ['t'], 500, 0)).toBe(0)
  expect(seenBy(shard, ['other'], 500, 0)).toBe(2)
})
