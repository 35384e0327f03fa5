import assert from 'node:assert/strict'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { assertSame } from '../stage/assert-same.ts'
import { Faults } from '../stage/faults.ts'
import { race, rivalsOf } from '../stage/race.ts'
import { readsOf } from '../stage/reads-of.ts'
import { removalsOf } from '../stage/removals-of.ts'
import { show } from '../stage/show.ts'
import type { Stage } from '../stage/stage.ts'
import { writesOf } from '../stage/writes-of.ts'
import type { Chapter } from './chapter.ts'

const most = Number.MAX_SAFE_INTEGER

const rules: readonly Rule[] = [
  rule({
    id: '7.1',
    says: '`increment` of a missing key starts from 0 and resolves to `delta`; `get` then resolves to that number',
    members: ['increment'],
    async check(stage) {
      for (const delta of [1, 0, -3, 1_000_000, most, -most]) {
        const key = `by ${delta}`
        assert.equal(await stage.backend.increment(key, delta), delta)
        const found = await stage.backend.get(key)
        assert.equal(found?.value, delta)
        assert.equal(found?.key, key)
        assert(typeof found?.version === 'string' && found.version !== '', 'a counter has a version')
        assert.equal(found?.expiresAt, undefined)
      }
    },
  }),

  rule({
    id: '7.2',
    says: '`increment` of a stored whole number continues from it; a negative `delta` subtracts',
    members: ['increment'],
    async check(stage) {
      await stage.backend.set(stage.item('k', 10))
      assert.equal(await stage.backend.increment('k', 5), 15)
      assert.equal(await stage.backend.increment('k', -20), -5)
      assert.equal(await stage.backend.increment('k', 0), -5)
      assert.equal((await stage.backend.get('k'))?.value, -5)
      await stage.backend.set(stage.item('k', 100))
      assert.equal(await stage.backend.increment('k', 1), 101)
      assert.equal(await stage.backend.delete('k'), true)
      assert.equal(await stage.backend.increment('k', 1), 1)
      await stage.backend.set(stage.item('zero', 0))
      assert.equal(await stage.backend.increment('zero', 1), 1)
    },
  }),

  rule({
    id: '7.3',
    says: 'a thousand concurrent increments count exactly, and no two resolve to the same sum',
    members: ['increment'],
    async check(stage) {
      const sums = await Promise.all(Array.from({ length: 1000 }, () => stage.backend.increment('k', 1)))
      assert.equal((await stage.backend.get('k'))?.value, 1000)
      assert.equal(new Set(sums).size, 1000)
    },
  }),

  rule({
    id: '7.4',
    says: '`expiresAt` applies only to a new counter; an existing counter keeps its deadline, or has none, and keeps its tags',
    members: ['increment'],
    async check(stage) {
      const { backend } = stage
      const deadline = await stage.inTime(async (deadline) => {
        assert.equal(await backend.increment('created', 1, deadline), 1)
        assert.equal(await backend.increment('created', 1, stage.now() + 3_600_000), 2)
        assert.equal(await backend.increment('created', 1), 3)
        await backend.set(stage.item('set', 5, { expiresAt: deadline, tags: { t: 'v' } }))
        assert.equal(await backend.increment('set', 1, stage.now() + 3_600_000), 6)
        assert.deepEqual({ ...(await backend.get('set'))?.tags }, { t: 'v' })
        await backend.set(stage.item('forever', 5))
        assert.equal(await backend.increment('forever', 1, deadline), 6)
        assert.equal(await backend.increment('endless', 1), 1)
        assert.equal(await backend.increment('endless', 1, deadline), 2)
      })
      const far = stage.now() + 3_600_000
      await Promise.all(Array.from({ length: 20 }, () => backend.increment('raced', 1, far)))
      const ends = (await backend.get('raced'))?.expiresAt ?? 0
      assert(
        Math.abs(ends - far) < 1000,
        `twenty concurrent increments created a counter that ends at ${ends}, not ${far}`,
      )
      await stage.pass(deadline)
      await stage.lacks('created')
      await stage.lacks('set')
      assert.equal((await backend.get('forever'))?.value, 6)
      assert.equal((await backend.get('endless'))?.value, 2)
      assert.equal(await backend.increment('created', 1), 1)
      const found = await backend.get('created')
      assert.equal(found?.expiresAt, undefined, 'a new counter has the deadline of the old one')
    },
  }),

  rule({
    id: '7.5',
    says: '`increment` of a value that is not a whole number rejects with `NOT_A_NUMBER`, and the value stays',
    members: ['increment'],
    async check(stage) {
      for (const value of ['5', '', 'text', 1.5, null, true, false, {}, [], [1], { n: 1 }]) {
        const item = stage.item('k', value, { tags: { t: 'v' }, expiresAt: stage.now() + 60_000 })
        await stage.backend.set(item)
        await stage.rejects(() => stage.backend.increment('k', 1), 'NOT_A_NUMBER')
        await stage.holds(item)
      }
    },
  }),

  rule({
    id: '7.6',
    says: '`increment` to a sum outside ±(2^53 − 1) rejects with `OUT_OF_RANGE`, and the counter stays',
    members: ['increment'],
    async check(stage) {
      const { backend } = stage
      for (const sign of [1, -1]) {
        const full = stage.item(`full ${sign}`, sign * most)
        await backend.set(full)
        for (const delta of [1, 2, most]) {
          await stage.rejects(() => backend.increment(full.key, sign * delta), 'OUT_OF_RANGE')
          await stage.holds(full)
        }
        assert.equal(await backend.increment(full.key, -sign), sign * (most - 1))
        assert.equal(await backend.increment(full.key, sign), sign * most)
        await stage.rejects(() => backend.increment(full.key, sign), 'OUT_OF_RANGE')
        assert.equal((await backend.get(full.key))?.value, sign * most)
      }
      await backend.set(stage.item('past', 2 ** 53))
      const error = await backend.increment('past', 1).then(
        (sum) => `resolved to ${sum}`,
        (reason: unknown) => reason,
      )
      const code = cacheErrorCode(error)
      assert(code === 'OUT_OF_RANGE' || code === 'NOT_A_NUMBER', `a counter past 2^53: ${show(error)}`)
      assert.equal((await backend.get('past'))?.value, 2 ** 53)
    },
  }),

  rule({
    id: '7.7',
    says: '`increment` of a placeholder starts from 0',
    members: ['increment'],
    async check(stage) {
      await stage.backend.set(stage.placeholder('k', { expiresAt: stage.now() + 60_000 }))
      assert.equal(await stage.backend.increment('k', 4), 4)
      const found = await stage.backend.get('k')
      assert.equal(found?.value, 4)
      assert.equal(found?.expiresAt, undefined, 'the counter has the deadline of the placeholder')
      const deadline = stage.now() + 120_000
      await stage.backend.set(stage.placeholder('lives', { expiresAt: stage.now() + 60_000 }))
      assert.equal(await stage.backend.increment('lives', 1, deadline), 1)
      const ends = (await stage.backend.get('lives'))?.expiresAt
      // A store may compute the deadline by its own clock, which differs by some milliseconds.
      assert(ends !== undefined && Math.abs(ends - deadline) < 1000, `expiresAt is ${ends} instead of ${deadline}`)
    },
  }),

  rule({
    id: '7.8',
    says: '`compareAndSet` fails with the version from before an increment, and succeeds with the version from after it',
    members: ['increment', 'compareAndSet'],
    async check(stage) {
      const { backend } = stage
      const set = stage.item('k', 1)
      await backend.set(set)
      await backend.increment('k', 1)
      assert.equal(
        await backend.compareAndSet('k', set.version, stage.item('k', 'late')),
        false,
        'the version it was set with',
      )
      const before = await backend.get('k')
      await backend.increment('k', 1)
      const after = await backend.get('k')
      assert.notEqual(after?.version, before?.version)
      assert.equal(
        await backend.compareAndSet('k', before?.version, stage.item('k', 'late')),
        false,
        'the version before',
      )
      const next = stage.item('k', 'next')
      assert.equal(await backend.compareAndSet('k', after?.version, next), true, 'the version after')
      await stage.holds(next)
      await backend.increment('made', 1)
      assert.equal(
        await backend.compareAndSet('made', undefined, stage.item('made', 'late')),
        false,
        'a counter is a live item',
      )
    },
  }),

  rule({
    id: '7.9',
    says: '`increment` of a missing key with an `expiresAt` that has passed resolves to `delta` and leaves no counter',
    members: ['increment'],
    async check(stage) {
      for (const expiresAt of [stage.now() - 1, stage.now() - 3_600_000, 0]) {
        assert.equal(await stage.backend.increment('k', 3, expiresAt), 3)
        await stage.lacks('k')
      }
    },
  }),

  rule({
    id: '7.10',
    says: '`increment` is atomic with respect to concurrent sets, deletes, clears, batches and `compareAndSet` calls',
    members: ['increment'],
    async check(stage) {
      const { backend } = stage
      const other = await stage.anotherHandle()
      const startAt = async (value: number): Promise<Item> => {
        const counter = stage.item('k', value)
        await backend.set(counter)
        return counter
      }
      const add = (): Promise<number> => backend.increment('k', 1)
      const stored = async (): Promise<unknown> => (await backend.get('k'))?.value
      for (const rival of rivalsOf(backend)) {
        await race(
          rival.name,
          async () => {
            await startAt(5)
            return [add, () => rival.start(other, stage.item('k', 100))]
          },
          async (sum) => {
            const found = await stored()
            // Either the increment came first, and the rival replaced or removed the sum, or it continued from the rival.
            const isFirst = sum === 6 && found === (rival.removes ? undefined : 100)
            const isSecond = sum === (rival.removes ? 1 : 101) && found === sum
            assert(isFirst || isSecond, `increment resolved to ${sum}, and the key holds ${show(found)}`)
          },
        )
      }
      if (!backend.compareAndSet) return
      let won: Promise<boolean | undefined> = Promise.resolve(undefined)
      await race(
        'compareAndSet',
        async () => {
          const { version } = await startAt(5)
          const replace = (): Promise<boolean | undefined> => {
            won = Promise.resolve(other.compareAndSet?.('k', version, stage.item('k', 100)))
            return won
          }
          return [add, replace]
        },
        async (sum) => {
          const expected = (await won) ? 101 : 6
          const found = await stored()
          assert(
            sum === expected && found === expected,
            `increment resolved to ${sum}, compareAndSet to ${await won}, and the key holds ${show(found)}`,
          )
        },
      )
    },
  }),

  rule({
    id: '7.11',
    says: 'the deadline of a counter stays where it is, however often the counter is incremented',
    members: ['increment'],
    async check(stage) {
      const { backend } = stage
      const { clock } = stage.harness
      clock?.advance(377)
      const deadline = stage.now() + 60_137
      await backend.set(stage.item('set', 5, { expiresAt: deadline }))
      await backend.increment('made', 1, deadline)
      const before = await endsOf(stage, ['set', 'made'])
      for (let n = 0; n < 300; n += 1) {
        clock?.advance(n % 3 === 0 ? 101 : 1)
        for (const key of ['set', 'made']) await backend.increment(key, 1, n % 2 ? undefined : deadline + n * 1000)
      }
      const after = await endsOf(stage, ['set', 'made'])
      // A store that counts by its own clock may compute the deadline anew at each read.
      const tolerance = clock ? 0 : 150
      for (const [n, key] of ['set', 'made'].entries()) {
        const moved = (after[n] ?? 0) - (before[n] ?? 0)
        assert(Math.abs(moved) <= tolerance, `300 increments moved the deadline of the counter '${key}' by ${moved} ms`)
      }
      if (!clock) return
      for (const end of before) assertSame(end, deadline, 'the deadline of a counter')
      clock.advance(deadline - 1 - stage.now())
      for (const key of ['set', 'made'])
        assert((await backend.get(key)) !== undefined, `the counter '${key}' ended early`)
      clock.advance(1)
      for (const key of ['set', 'made']) await stage.lacks(key)
      assertSame(await backend.increment('made', 1), 1, 'increment of an expired counter')
    },
  }),

  rule({
    id: '7.12',
    says: '`increment` counts on from a whole number that any write stored, and any write replaces a counter',
    members: ['increment'],
    async check(stage) {
      const { backend } = stage
      const faults = new Faults()
      for (const { name, store } of writesOf(backend)) {
        await faults.attempt(name, async () => {
          await store(stage.item('k', 40, { tags: { t: 'v' }, cost: 3, staleAt: stage.now() + 5 }))
          assertSame(await backend.increment('k', 2), 42, 'increment of 40 by 2')
          for (const read of readsOf(backend)) {
            const found = await read.find('k')
            assertSame(found?.value, 42, `the value by ${read.name}`)
            assertSame({ ...found?.tags }, { t: 'v' }, `the tags by ${read.name}`)
            assertSame(found?.cost, 3, `the cost by ${read.name}`)
          }
          const text = stage.item('k', 'text')
          await store(text)
          await stage.holds(text)
          await stage.rejects(() => backend.increment('k', 1), 'NOT_A_NUMBER')
          await store(stage.placeholder('k'))
          assertSame(await backend.increment('k', 1), 1, 'increment of a placeholder')
          await store(stage.item('k', -1))
          assertSame(await backend.increment('k', 1), 0, 'increment of -1')
          assertSame((await backend.get('k'))?.value, 0, 'the value of the counter')
        })
        for (const removal of removalsOf(backend, stage)) {
          await faults.attempt(`${name}, then ${removal.name}`, async () => {
            await store(stage.item('k', 40))
            await backend.increment('k', 1)
            await removal.remove('k')
            await stage.lacks('k')
            assertSame(await backend.increment('k', 1), 1, 'increment of a removed counter')
          })
        }
      }
      faults.report()
    },
  }),
]

export const counters: Chapter = { title: '7 Counters', rules }

/** The deadlines of counters. The earliest of many reads, because a delayed read shows a later one. */
async function endsOf(stage: Pick<Stage, 'backend'>, keys: readonly string[]): Promise<number[]> {
  const ends = keys.map(() => Number.POSITIVE_INFINITY)
  for (let read = 0; read < 20; read += 1) {
    for (const [n, key] of keys.entries()) {
      const found = await stage.backend.get(key)
      assert(found?.expiresAt !== undefined, `the counter '${key}' has no deadline`)
      ends[n] = Math.min(ends[n] ?? found.expiresAt, found.expiresAt)
    }
  }
  return ends
}
