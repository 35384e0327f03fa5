import assert from 'node:assert/strict'
import type { Item } from '../../protocol/item.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { assertItem } from '../stage/assert-item.ts'
import { assertSame } from '../stage/assert-same.ts'
import { collect } from '../stage/collect.ts'
import { Faults } from '../stage/faults.ts'
import { readsOf } from '../stage/reads-of.ts'
import { removalsOf } from '../stage/removals-of.ts'
import type { Stage } from '../stage/stage.ts'
import { type Write, writesOf } from '../stage/writes-of.ts'

const hour = 3_600_000
const year = 365 * 24 * hour

/** 2.9 to 2.13: deadlines, through every call. */
export const deadlineRules: readonly Rule[] = [
  rule({
    id: '2.9',
    says: 'the deadline of an item that was replaced or removed has no effect on the item that follows it',
    async check(stage) {
      const { backend } = stage
      const deadline = stage.soon()
      const later = deadline + 500
      const writes = writesOf(backend)
      const firsts = [...writes, ...creatingCounters(stage, deadline)]
      const removals = removalsOf(backend, stage)
      const none = { name: 'nothing', remove: async () => {} }
      const whole = { name: 'clear', remove: async () => {} }
      const cases = firsts.flatMap((first) =>
        [none, whole, ...removals].flatMap((removal) =>
          writes.map((second, n) => ({
            first,
            removal,
            second,
            key: `${first.name}, ${removal.name}, ${second.name} ${n}`,
          })),
        ),
      )
      const begin = ({ first, key }: (typeof cases)[number]) =>
        first.store(stage.item(key, 'first', { expiresAt: deadline }))
      const follow = async ({ removal, second, key }: (typeof cases)[number]): Promise<readonly Item[]> => {
        await removal.remove(key)
        const item = stage.item(key, 'second')
        await second.store(item)
        // A second item with a deadline of its own, which is the one that counts.
        const dated = stage.item(`${key} dated`, 'second', { expiresAt: later })
        await backend.set(stage.item(dated.key, 'first', { expiresAt: deadline }))
        await removal.remove(dated.key)
        await second.store(dated)
        return [item, dated]
      }
      const cleared = cases.filter(({ removal }) => removal === whole)
      const others = cases.filter(({ removal }) => removal !== whole)
      await Promise.all(cleared.map(begin))
      await backend.clear()
      await Promise.all(others.map(begin))
      const began = Date.now()
      const followed = await Promise.all(cases.map(follow))
      const delay = Date.now() - began
      await stage.pass(deadline)
      await aWhile()
      const faults = new Faults()
      for (const [item, dated] of followed as [Item, Item][]) {
        await faults.attempt(`an item after ${item.key}`, () => stage.holds(item))
        if (stage.before(later))
          await faults.attempt(`an item after ${item.key}, with a deadline of its own`, () =>
            holdsUntil(stage, dated, later),
          )
      }
      // A store with its own clock counts the remaining lifetime from the arrival of the write.
      await stage.pass(later + (stage.harness.clock ? 0 : delay))
      await aWhile()
      for (const [item, dated] of followed as [Item, Item][]) {
        await faults.attempt(`an item after ${item.key}, later`, () => stage.holds(item))
        await faults.attempt(`an item after ${item.key}, past its own deadline`, () => stage.lacks(dated.key))
      }
      faults.report()
    },
  }),

  rule({
    id: '2.10',
    says: 'a lifetime is kept to the millisecond by every write and every read',
    async check(stage) {
      if (stage.harness.clock) await keepsMilliseconds(stage)
      else await keepsMillisecondsInRealTime(stage)
    },
  }),

  rule({
    id: '2.11',
    says: 'an item whose deadline is more than 2^31 ms ahead stays, whichever call stored it',
    async check(stage) {
      const far = [
        2 ** 31 - 1,
        2 ** 31,
        2 ** 31 + 1,
        2 ** 32 - 1,
        2 ** 32,
        2 ** 32 + 5,
        2 ** 33 + 1,
        100 * year,
        8.9e15,
      ]
      const { clock } = stage.harness
      const now = stage.now()
      const stored: { readonly name: string; readonly item: Item; readonly expiresAt: number }[] = []
      for (const ms of far) {
        const expiresAt = now + ms
        for (const write of [...writesOf(stage.backend), ...creatingCounters(stage, expiresAt)]) {
          const item = stage.item(`${write.name} ${ms}`, 1, { expiresAt })
          await write.store(item)
          stored.push({ name: `${write.name} of an item that lives ${ms} ms`, item, expiresAt })
        }
      }
      // Timers of Node with a longer delay fire after one millisecond, whatever the clock of the backend says.
      await aWhile()
      await stage.pass(stage.soon())
      const faults = new Faults()
      for (const { name, item } of stored) await faults.attempt(name, () => exists(stage, item.key))
      if (clock) {
        for (const { name, item, expiresAt } of stored) {
          if (expiresAt > now + 200 * year) continue
          clock.advance(Math.max(0, expiresAt - 1 - clock.now()))
          await aWhile()
          if (clock.now() < expiresAt)
            await faults.attempt(`${name}, one millisecond before its deadline`, () => exists(stage, item.key))
        }
      }
      faults.report()
    },
  }),

  rule({
    id: '2.12',
    says: 'the removal of expired items removes no item that lives, and no item that follows an expired one',
    async check(stage) {
      const { backend } = stage
      const now = stage.now()
      const far = now + 10 * year
      const deadline = stage.soon()
      const living: Item[] = [
        ...Array.from({ length: 300 }, (_, n) => stage.item(`plain ${n}`, n)),
        ...Array.from({ length: 300 }, (_, n) => stage.item(`dated ${n}`, n, { expiresAt: far + n })),
        stage.item('stale', 1, { staleAt: now - 1 }),
        stage.item('stale soon', 1, { staleAt: deadline, expiresAt: far }),
        stage.item('old', 1, { createdAt: 0 }),
        stage.item('tagged', 1, { tags: { t: 'v' }, cost: 0, expiresAt: far }),
        stage.item('zero', 0),
        stage.item('null', null, { expiresAt: far }),
        stage.placeholder('placeholder'),
        stage.placeholder('dated placeholder', { expiresAt: far }),
      ]
      const expiring = Array.from({ length: 300 }, (_, n) =>
        stage.item(`expiring ${n}`, n, { expiresAt: deadline - (n % 3) }),
      )
      for (const [n, item] of expiring.entries()) {
        await backend.set(item)
        const [one, other] = [living[2 * n], living[2 * n + 1]]
        if (one) await backend.set(one)
        if (other) await backend.set(other)
      }
      for (const item of living.slice(2 * expiring.length)) await backend.set(item)
      await stage.pass(deadline)
      // Some are set again, without a read that could remove the expired item first.
      const again = expiring.slice(0, 100).map(({ key }) => stage.item(key, 'again'))
      for (const item of again) await backend.set(item)
      for (const ms of [10, 100, 500, 1000, 1000, 10_000, 60_000, 60_000, 300_000, hour, hour, 24 * hour, 24 * hour]) {
        stage.harness.clock?.advance(ms)
        await aWhile()
      }
      if (!stage.harness.clock) await stage.pass(stage.soon(300))
      const faults = new Faults()
      // First, because these reads may remove items, too.
      for (const { key } of expiring.slice(100)) await faults.attempt('an expired item', () => stage.lacks(key))
      for (const item of [...living, ...again]) await faults.attempt('a living item', () => stage.holds(item))
      faults.report()
    },
  }),

  rule({
    id: '2.13',
    says: '`createdAt` in the past or in the future comes back unchanged, and has no effect on a lifetime or on the order of writes',
    async check(stage) {
      const { backend } = stage
      const now = stage.now()
      const deadline = stage.soon(stage.harness.clock ? 60_001 : 200)
      const faults = new Faults()
      const dated: Item[] = []
      for (const createdAt of [0, 1, now - 10 * year, now - 24 * hour, now - 1, now + 1, now + hour, now + 10 * year]) {
        for (const { name, store } of writesOf(backend)) {
          await faults.attempt(`${name} with createdAt ${createdAt - now} ms from now`, async () => {
            const key = `${name} ${createdAt}`
            const item = stage.item(key, 1, { createdAt, expiresAt: now + hour, staleAt: now + 10 })
            await store(item)
            for (const read of readsOf(backend)) assertItem(await read.find(key), item)
            // The newer write wins, whatever the two items say.
            const older = stage.item(key, 2, { createdAt: Math.max(0, createdAt - 1000) })
            await store(older)
            await stage.holds(older)
            const forever = stage.item(`${key} forever`, 3, { createdAt })
            await store(forever)
            dated.push(older, forever)
            const short = stage.item(`${key} short`, 4, { createdAt, expiresAt: deadline })
            await store(short)
            dated.push(short)
          })
        }
      }
      if (stage.harness.clock) {
        stage.harness.clock.advance(deadline - 1 - stage.now())
        for (const item of dated) await faults.attempt('before the deadline', () => stage.holds(item))
      }
      await stage.pass(deadline)
      for (const item of dated) {
        if (item.expiresAt === undefined) await faults.attempt('without a deadline', () => stage.holds(item))
        else await faults.attempt('past the deadline', () => stage.lacks(item.key))
      }
      faults.report()
    },
  }),
]

type DeadlineStage = Pick<Stage, 'backend' | 'harness' | 'item' | 'now' | 'holds' | 'lacks' | 'before' | 'soon'>

/** A few turns of the event loop and some milliseconds of real time, for timers of the backend. */
async function aWhile(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setImmediate(resolve))
}

/** Writes that make a counter with this deadline, where the backend counts. */
function creatingCounters(stage: Pick<Stage, 'backend'>, expiresAt: number): readonly Write[] {
  const { increment } = stage.backend
  if (!increment) return []
  return [{ name: 'increment', store: ({ key }) => increment.call(stage.backend, key, 1, expiresAt) }]
}

async function exists(stage: Pick<Stage, 'backend'>, key: string): Promise<void> {
  assert((await stage.backend.get(key)) !== undefined, `get("${key}") found nothing`)
}

/** Fails unless the store holds the item, or the deadline has passed during the check. */
async function holdsUntil(stage: DeadlineStage, item: Item, deadline: number): Promise<void> {
  try {
    await stage.holds(item)
  } catch (error) {
    if (stage.before(deadline)) throw error
  }
}

/** By a clock of the test: one millisecond before each deadline the item is there, and at the deadline it is not. */
async function keepsMilliseconds(stage: DeadlineStage): Promise<void> {
  const { backend, harness } = stage
  // Not at a whole second.
  harness.clock?.advance(123)
  const start = stage.now()
  const lives = [
    1,
    7,
    499,
    500,
    501,
    999,
    1000,
    1001,
    1337,
    1500,
    59_999,
    60_000,
    60_001,
    3_600_123,
    86_400_777,
    31 * 24 * hour + 13,
  ]
  const faults = new Faults()
  for (const ms of lives) {
    const expiresAt = start + ms
    for (const { name, store } of writesOf(backend)) await store(stage.item(`${name} ${ms}`, ms, { expiresAt }))
    if (backend.increment) await backend.increment(`increment ${ms}`, ms, expiresAt)
  }
  const names = [...writesOf(backend).map(({ name }) => name), ...(backend.increment ? ['increment'] : [])]
  for (const ms of lives) {
    const expiresAt = start + ms
    harness.clock?.advance(expiresAt - 1 - stage.now())
    for (const name of names)
      await faults.attempt(`${name} of a lifetime of ${ms} ms, 1 ms before its end`, () =>
        isThere(stage, `${name} ${ms}`, expiresAt),
      )
    harness.clock?.advance(1)
    for (const name of names)
      await faults.attempt(`${name} of a lifetime of ${ms} ms, at its end`, () => isGone(stage, `${name} ${ms}`))
  }
  faults.report()
}

async function isThere(stage: DeadlineStage, key: string, expiresAt: number): Promise<void> {
  const { backend } = stage
  for (const read of readsOf(backend))
    assertSame((await read.find(key))?.expiresAt, expiresAt, `expiresAt by ${read.name}`)
  if (backend.keys) assert((await collect(backend.keys(key))).includes(key), 'keys does not yield the key')
  if (backend.compareAndSet) {
    assertSame(
      await backend.compareAndSet(key, undefined, stage.item(key, 'other')),
      false,
      'compareAndSet that expects undefined',
    )
  }
}

async function isGone(stage: DeadlineStage, key: string): Promise<void> {
  const { backend } = stage
  if (backend.keys) assert(!(await collect(backend.keys(key))).includes(key), 'keys yields the key')
  for (const read of readsOf(backend).toReversed()) assertSame(await read.find(key), undefined, read.name)
  if (backend.deleteMany) assertSame(await backend.deleteMany([key]), 0, 'deleteMany')
}

/** By a clock that the suite cannot move: lifetimes that whole seconds cannot express, with a margin for slow machines. */
async function keepsMillisecondsInRealTime(stage: DeadlineStage): Promise<void> {
  const { backend } = stage
  const margin = 400
  const stored: { readonly what: string; readonly item: Item; readonly end: number }[] = []
  for (const ms of [150, 400, 650, 900]) {
    for (const { name, store } of writesOf(backend)) {
      const began = stage.now()
      const item = stage.item(`${name} ${ms}`, ms, { expiresAt: began + ms })
      await store(item)
      await holdsUntil(stage, item, began + ms)
      // A store with its own clock counts the remaining lifetime from the arrival of the write.
      stored.push({ what: `${name} of a lifetime of ${ms} ms`, item, end: stage.now() + ms + margin })
    }
  }
  const faults = new Faults()
  for (const { what, item, end } of stored.sort((one, other) => one.end - other.end)) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, end - stage.now())))
    await faults.attempt(`${what}, ${margin} ms past its end`, () => stage.lacks(item.key))
  }
  faults.report()
}
