import assert from 'node:assert/strict'
import type { BackendEvent, CacheBackend } from '../../protocol/backend.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { createRandom } from '../samples/random.ts'
import { assertSame } from '../stage/assert-same.ts'
import { Faults } from '../stage/faults.ts'
import { fill, limit, openLimited } from '../stage/limited-store.ts'
import { removalsOf } from '../stage/removals-of.ts'
import type { Stage } from '../stage/stage.ts'
import { writesOf } from '../stage/writes-of.ts'

/** 12.7 to 12.11: limits and statistics, through every call. */
export const limitRules: readonly Rule[] = [
  rule({
    id: '12.7',
    says: 'a limit of entries holds through every write, and each removed item is reported once',
    means: ['openLimited'],
    opens: false,
    async check(stage) {
      const backend = await openLimited(stage)
      const evicted: string[] = []
      backend.listen?.((event) => {
        if (event.type === 'evict') evicted.push(event.key)
      })
      const faults = new Faults()
      for (const [name, write] of manyWrites(backend, stage)) {
        await faults.attempt(name, async () => {
          await backend.clear()
          await stage.until(async () => ((await backend.stats?.())?.items ?? 0) === 0, 'the store to be empty')
          evicted.length = 0
          const before = (await backend.stats?.())?.evictions ?? 0
          const keys = Array.from({ length: limit * 5 }, (_, n) => `${name} ${n}`)
          await write(keys)
          await stage.until(
            async () => (await stage.count(keys, backend)) <= limit,
            `at most ${limit} items to be left`,
          )
          const left = await stage.count(keys, backend)
          assert(left >= limit / 2, `${left} items are left where ${limit} are allowed`)
          if (!backend.listen || !backend.stats) return
          await stage.until(async () => {
            const gone = keys.length - (await stage.count(keys, backend))
            return gone === evicted.length && (await backend.stats?.())?.evictions === before + gone
          }, '`stats().evictions` and the `evict` events to match the removed items')
          assertSame(new Set(evicted).size, evicted.length, 'the number of different keys of evict events')
        })
      }
      faults.report()
    },
  }),

  rule({
    id: '12.8',
    says: '`stats().items`, if present, follows every way to store and to remove an item',
    members: ['stats'],
    async check(stage) {
      const { backend } = stage
      if ((await backend.stats()).items === undefined) stage.skip('`stats()` of the backend has no `items`')
      const shows = async (count: number, what: string): Promise<void> => {
        const items = async (): Promise<number | undefined> => (await backend.stats()).items
        await stage
          .until(async () => (await items()) === count, `stats().items to become ${count} after ${what}`)
          .catch(async (error: unknown) => assert.fail(`${(error as Error).message}; it is ${await items()}`))
      }
      const faults = new Faults()
      for (const { name, store } of writesOf(backend)) {
        for (const removal of removalsOf(backend, stage)) {
          await faults.attempt(`${name}, then ${removal.name}`, async () => {
            await backend.set(stage.item('other', 1))
            await store(stage.item('k', 1))
            await shows(2, name)
            await store(stage.item('k', 2, { expiresAt: stage.now() + 3_600_000 }))
            await shows(2, `a second ${name} of the key`)
            await removal.remove('k')
            await shows(1, removal.name)
            await removal.remove('k')
            await shows(1, `a second ${removal.name} of the key`)
            if (!backend.increment) return
            await backend.increment('k', 1)
            await backend.increment('k', 1)
            await shows(2, 'two increments of a missing key')
            await removal.remove('k')
            await shows(1, `${removal.name} of a counter`)
          })
          await backend.clear()
        }
      }
      const deadline = stage.soon()
      for (let n = 0; n < 10; n += 1) await backend.set(stage.item(`e${n}`, n, { expiresAt: deadline }))
      await backend.set(stage.item('stays', 1))
      await stage.pass(deadline)
      for (let n = 0; n < 10; n += 1) await backend.get(`e${n}`)
      await faults.attempt('expired items', () => shows(1, 'ten items have expired'))
      faults.report()
    },
  }),

  rule({
    id: '12.9',
    says: '`listen` with types passes on the events of these types only',
    means: ['openLimited'],
    opens: false,
    async check(stage) {
      const backend = await openLimited(stage)
      const { listen } = backend
      if (!listen) return stage.skip("the backend has no 'listen'", 'listen')
      const received: Record<string, string[]> = { all: [], evict: [], expire: [], error: [], none: [] }
      const hear = (name: string) => (event: BackendEvent) => void received[name]?.push(event.type)
      listen.call(backend, hear('all'))
      listen.call(backend, hear('evict'), ['evict'])
      listen.call(backend, hear('expire'), ['expire'])
      listen.call(backend, hear('error'), ['error', 'busMessage'])
      listen.call(backend, hear('none'), [])
      const deadline = stage.soon()
      await backend.set(stage.item('expiring', 1, { expiresAt: deadline }))
      await fill(stage, backend)
      await stage.until(() => received.evict?.length !== 0, 'an evict event at the listener of that type')
      await backend.set(stage.item('expiring', 1, { expiresAt: deadline }))
      await stage.pass(deadline, backend)
      await backend.get('expiring')
      for (const type of ['evict', 'expire', 'error']) {
        const wrong = received[type]?.filter((one) => one !== type && one !== 'busMessage')
        assertSame(wrong, [], `the other events at a listener of ${type}`)
        const ofAll = received.all?.filter((one) => one === type).length
        assertSame(
          received[type]?.filter((one) => one === type).length,
          ofAll,
          `the number of ${type} events at their listener`,
        )
      }
      assertSame(received.none, [], 'the events at a listener of no type')
    },
  }),

  rule({
    id: '12.10',
    says: 'a write that replaces an item of a full store evicts no other item',
    means: ['openLimited'],
    opens: false,
    async check(stage) {
      const backend = await openLimited(stage)
      const keys = Array.from({ length: limit / 2 }, (_, n) => `k${n}`)
      for (const key of keys) await backend.set(stage.item(key, 0))
      const faults = new Faults()
      for (const [name, write] of manyWrites(backend, stage)) {
        await faults.attempt(name, async () => {
          // A few again and again, which would evict the others, and then all.
          for (let round = 0; round < 20; round += 1) await write(keys.slice(0, 5))
          assertSame(
            await stage.count(keys, backend),
            keys.length,
            'the number of items after 100 overwrites of 5 keys',
          )
          for (let round = 0; round < 5; round += 1) await write(keys)
          assertSame(
            await stage.count(keys, backend),
            keys.length,
            `the number of items after 250 overwrites of ${keys.length} keys`,
          )
        })
      }
      // A store at its limit. It may have evicted some of these keys already.
      for (let n = keys.length; n < limit; n += 1) await backend.set(stage.item(`k${n}`, 0))
      const every = Array.from({ length: limit }, (_, n) => `k${n}`)
      const found = await Promise.all(every.map((key) => backend.get(key)))
      const present = every.filter((_, n) => found[n] !== undefined)
      for (const [name, write] of manyWrites(backend, stage)) {
        await faults.attempt(`${name} in a full store`, async () => {
          for (let round = 0; round < 20; round += 1) await write(present.slice(0, 5))
          const left = await stage.count(present, backend)
          assertSame(left, present.length, 'the number of items after 100 overwrites of 5 keys of a full store')
        })
      }
      for (const key of every.slice(keys.length)) await backend.delete(key)
      // Removed items make room for as many others.
      for (let round = 0; round < 5; round += 1) {
        for (const key of keys) await backend.delete(key)
        for (const key of keys) await backend.set(stage.item(key, round))
      }
      await faults.attempt('deletes and sets', async () => {
        assertSame(
          await stage.count(keys, backend),
          keys.length,
          `the number of items after 250 deletes and sets of ${keys.length} keys`,
        )
        const evictions = (await backend.stats?.())?.evictions ?? 0
        assertSame(evictions, 0, 'stats().evictions of a store that never had more than its limit')
      })
      faults.report()
    },
  }),

  rule({
    id: '12.11',
    says: '`stats().size`, if present, follows every way to store and to remove an item',
    members: ['stats'],
    async check(stage) {
      const { backend } = stage
      const size = async (): Promise<number> => (await backend.stats()).size ?? Number.NaN
      await backend.set(stage.item('small', 1))
      const before = await size()
      if (Number.isNaN(before)) stage.skip('`stats()` of the backend has no `size`')
      const random = createRandom(1211)
      const text = Array.from({ length: 200_000 }, () => String.fromCharCode(33 + random.below(90))).join('')
      const half = before + text.length / 2
      const faults = new Faults()
      for (const { name, store } of writesOf(backend)) {
        for (const removal of removalsOf(backend, stage)) {
          await faults.attempt(`${name}, then ${removal.name}`, async () => {
            await store(stage.item('k', text))
            await stage.until(async () => (await size()) >= half, `the size to grow by ${name}`)
            await store(stage.item('k', 1))
            await stage.until(async () => (await size()) < half, `the size to shrink by ${name} of a small item`)
            await store(stage.item('k', text))
            await removal.remove('k')
            await stage.until(async () => (await size()) < half, `the size to shrink by ${removal.name}`)
          })
        }
      }
      faults.report()
    },
  }),
]

/** Ways to store an item at each of many keys. */
function manyWrites(
  backend: CacheBackend,
  stage: Pick<Stage, 'item'>,
): readonly (readonly [name: string, write: (keys: readonly string[]) => Promise<void>])[] {
  const writes: [string, (keys: readonly string[]) => Promise<void>][] = writesOf(backend).map(({ name, store }) => [
    name,
    async (keys) => {
      for (const key of keys) await store(stage.item(key, 1))
    },
  ])
  if (backend.setMany) {
    writes.push(['setMany of all', async (keys) => backend.setMany?.(keys.map((key) => stage.item(key, 1)))])
  }
  if (backend.increment) {
    writes.push([
      'increment',
      async (keys) => {
        for (const key of keys) await backend.increment?.(key, 1)
      },
    ])
  }
  return writes
}
