import assert from 'node:assert/strict'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import type { Item } from '../../protocol/item.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { emptySamples, isKept } from '../samples/samples.ts'
import { assertItem } from '../stage/assert-item.ts'
import { assertSame } from '../stage/assert-same.ts'
import { getAll, setAll } from '../stage/batches.ts'
import { show } from '../stage/show.ts'
import type { Chapter } from './chapter.ts'

const many = 10_000

const rules: readonly Rule[] = [
  rule({
    id: '6.1',
    says: '`getMany` resolves to items in the order of the keys, with `undefined` for missing keys',
    members: ['getMany'],
    async check(stage) {
      const items = ['a', 'b', 'c', 'd'].map((key) => stage.item(key, `value of ${key}`, { tags: { t: key }, cost: 2 }))
      for (const item of items) await stage.backend.set(item)
      const order: readonly string[] = ['missing', 'd', 'a', 'constructor', 'c', 'b', 'also missing']
      const found = await stage.backend.getMany(Object.freeze(order))
      assert.equal(found.length, order.length)
      for (const [n, key] of order.entries()) {
        const item = items.find((one) => one.key === key)
        if (item) assertItem(found[n], item)
        else assert.equal(found[n], undefined, key)
      }
    },
  }),

  rule({
    id: '6.2',
    says: '`getMany` gives duplicate keys the same item',
    members: ['getMany'],
    async check(stage) {
      const item = stage.item('k', { n: 1 })
      await stage.backend.set(item)
      const found = await stage.backend.getMany(['k', 'missing', 'k', 'missing', 'k'])
      assert.equal(found.length, 5)
      for (const n of [0, 2, 4]) assertItem(found[n], item)
      for (const n of [1, 3]) assert.equal(found[n], undefined)
    },
  }),

  rule({
    id: '6.3',
    says: 'empty batches resolve and do nothing',
    async check(stage) {
      const { backend } = stage
      if (!backend.getMany && !backend.setMany && !backend.deleteMany) stage.skip('the backend has no batches')
      const item = stage.item('k', 1)
      await backend.set(item)
      if (backend.getMany) assert.deepEqual(await backend.getMany([]), [])
      if (backend.setMany) await backend.setMany([])
      if (backend.deleteMany) assert.equal(await backend.deleteMany([]), 0)
      await stage.holds(item)
    },
  }),

  rule({
    id: '6.4',
    says: 'batches of ten thousand keys work',
    async check(stage) {
      const { backend } = stage
      if (!backend.getMany && !backend.setMany && !backend.deleteMany) stage.skip('the backend has no batches')
      const items = Array.from({ length: many }, (_, n) => stage.item(`k${n}`, n))
      const keys = items.map((item) => item.key)
      if (backend.setMany) await backend.setMany(items)
      else await setAll(backend, items)
      const found = await getAll(backend, keys)
      assert.equal(found.length, many)
      assert(
        found.every((item, n) => item?.key === keys[n] && item?.value === n),
        '`getMany` gave the item of another key',
      )
      if (backend.deleteMany) {
        assert.equal(await backend.deleteMany(keys), many)
        assert.equal(await stage.count(keys), 0)
      }
    },
  }),

  rule({
    id: '6.5',
    says: '`setMany` stores every item with its own lifetime, tags and cost; of duplicate keys, the last item wins',
    members: ['setMany'],
    async check(stage) {
      const now = stage.now()
      const items = [
        stage.item('plain', 1),
        stage.item('short', 2, { expiresAt: now + 60_000, staleAt: now + 1 }),
        stage.item('tagged', 3, { tags: { t: 'v' }, cost: 7 }),
        stage.placeholder('placeholder'),
      ]
      const last = stage.item('twice', 'last', { cost: 1 })
      await stage.backend.set(stage.item('gone', 'old'))
      const expired = stage.item('gone', 'late', { expiresAt: now - 1 })
      const first = stage.item('twice', 'first', { tags: { t: 'first' }, expiresAt: now + 60_000 })
      await stage.backend.setMany(Object.freeze([first, ...items, expired, last]))
      for (const item of [...items, last]) await stage.holds(item)
      await stage.lacks('gone')
      // A duplicate whose last item has expired leaves the key empty.
      const late = stage.item('late', 'last', { expiresAt: now - 1 })
      await stage.backend.setMany([stage.item('late', 'first'), late])
      await stage.lacks('late')
    },
  }),

  rule({
    id: '6.6',
    says: '`deleteMany` removes every key and resolves to the number of live values removed; a duplicate key counts once',
    members: ['deleteMany'],
    async check(stage) {
      const { backend } = stage
      for (const key of ['a', 'b', 'c', 'kept']) await backend.set(stage.item(key, 0))
      await backend.set(stage.placeholder('placeholder'))
      assert.equal(await backend.deleteMany(Object.freeze(['b', 'missing', 'a', 'b', 'placeholder'])), 2)
      for (const key of ['a', 'b', 'placeholder']) await stage.lacks(key)
      assert.equal(await stage.count(['c', 'kept']), 2)
      assert.equal(await backend.deleteMany(['a', 'c']), 1)
    },
  }),

  rule({
    id: '6.7',
    says: 'batches keep falsy values',
    async check(stage) {
      const { backend } = stage
      if (!backend.getMany && !backend.setMany) stage.skip('the backend has neither getMany nor setMany')
      const samples = emptySamples.filter((sample) => isKept(sample, stage.harness.keeps))
      const items = samples.map((sample) => stage.item(sample.says, sample.make()))
      await setAll(backend, items)
      const found = await getAll(
        backend,
        items.map((item) => item.key),
      )
      for (const [n, item] of items.entries()) assertItem(found[n], item)
      if (backend.deleteMany) assert.equal(await backend.deleteMany(items.map((item) => item.key)), items.length)
    },
  }),

  rule({
    id: '6.8',
    says: '`setMany` rejects with `NOT_STORABLE` if it cannot keep one value; no item is left half written',
    members: ['setMany'],
    async check(stage) {
      const { backend } = stage
      if (stage.harness.values === 'references') stage.skip('the harness states that the store keeps references')
      const old = ['a', 'bad', 'b'].map((key) => stage.item(key, 'old'))
      await backend.setMany(old)
      const next = [stage.item('a', 'next'), stage.item('bad', () => 1), stage.item('b', 'next')]
      await stage.rejects(() => backend.setMany(next), 'NOT_STORABLE')
      for (const [n, before] of old.entries()) {
        const found = await backend.get(before.key)
        const after = next[n]
        assertItem(found, found?.version === after?.version && after && before.key !== 'bad' ? after : before)
      }
    },
  }),

  rule({
    id: '6.9',
    says: 'a failing batch returns a promise that rejects with a `CacheError`',
    members: ['setMany'],
    async check(stage) {
      if (stage.harness.values === 'references') stage.skip('the harness states that the store keeps references')
      let promise: Promise<void> | undefined
      try {
        promise = stage.backend.setMany([stage.item('k', Symbol('s'))])
      } catch (error) {
        assert.fail(`threw instead of rejecting: ${String(error)}`)
      }
      const error = await promise.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      assert.equal(cacheErrorCode(error), 'NOT_STORABLE')
    },
  }),

  rule({
    id: '6.10',
    says: 'a batch of any size stores, returns and removes each of its items',
    async check(stage) {
      const { backend } = stage
      if (!backend.getMany && !backend.setMany && !backend.deleteMany) stage.skip('the backend has no batches')
      await backend.set(stage.item('outside', 1))
      for (const size of batchSizes) {
        const items = Array.from({ length: size }, (_, n) => stage.item(mixed(n), n))
        const keys = items.map((item) => item.key)
        if (backend.setMany) await backend.setMany(items)
        else await setAll(backend, items)
        assertBatch(items, await getAll(backend, keys), `a batch of ${size}`)
        // One at a time as well, because a batch of reads can hide the fault of a batch of writes.
        for (const n of [0, size >> 1, size - 1]) await stage.holds(items[n] as Item)
        if (backend.deleteMany) {
          assertSame(await backend.deleteMany(keys), size, `deleteMany of ${size} keys`)
          if (size <= 2000)
            assertSame(await stage.count(keys), 0, `the number of items left by deleteMany of ${size} keys`)
        } else await backend.clear('key')
      }
      assertSame(await stage.count(['outside']), 1, 'the number of items outside the batches')
    },
  }),

  rule({
    id: '6.11',
    says: 'a large batch treats duplicate, missing, expired and empty places as a small one does',
    async check(stage) {
      const { backend } = stage
      if (!backend.getMany && !backend.setMany && !backend.deleteMany) stage.skip('the backend has no batches')
      const count = 3000
      const past = stage.now() - 1
      const firsts = Array.from({ length: count }, (_, n) =>
        stage.item(mixed(n), `first ${n}`, { tags: { t: 'first' } }),
      )
      // Every third key comes a second time, far from its first place. Of these, every fifth has expired.
      const seconds = firsts.flatMap(({ key }, n) => {
        if (n % 3 !== 0) return []
        return n % 5 === 0 ? stage.item(key, 'expired', { expiresAt: past }) : stage.item(key, `second ${n}`)
      })
      const held = Array.from({ length: 50 }, (_, n) => stage.placeholder(`placeholder ${n}`))
      if (backend.setMany) await backend.setMany([...firsts, ...held, ...seconds])
      else for (const batch of [firsts, held, seconds]) await setAll(backend, batch)
      const expected = new Map<string, Item | undefined>()
      for (const item of [...firsts, ...held, ...seconds]) {
        expected.set(item.key, item.expiresAt === undefined ? item : undefined)
      }
      const keys = [...firsts, ...held, ...seconds].flatMap(({ key }, n) => (n % 7 === 0 ? [key, `missing ${n}`] : key))
      const found = await getAll(backend, keys)
      assertSame(found.length, keys.length, 'the number of items by getMany')
      for (const [n, key] of keys.entries()) {
        const item = expected.get(key)
        if (item) assertItem(found[n], item)
        else assertSame(found[n], undefined, `getMany at the place of ${show(key)}`)
      }
      if (!backend.deleteMany) return
      const live = [...expected.values()].filter((item) => item?.value !== undefined).length
      assertSame(await backend.deleteMany(keys), live, 'deleteMany of a batch with duplicates')
      assertSame(await stage.count(expected.keys()), 0, 'the number of items left by deleteMany')
    },
  }),

  rule({
    id: '6.12',
    says: 'concurrent batches each get their own results',
    async check(stage) {
      const { backend } = stage
      if (!backend.getMany && !backend.setMany && !backend.deleteMany) stage.skip('the backend has no batches')
      const batchesOf = (start: string): Item[][] =>
        Array.from({ length: 20 }, (_, batch) =>
          Array.from({ length: 1 + batch * 7 }, (_, n) => stage.item(`${start} ${batch} ${n}`, `${batch}/${n}`)),
        )
      const stored = batchesOf('stored')
      await Promise.all(stored.map((items) => setAll(backend, items)))
      const more = batchesOf('more')
      // Keys overlap with the next batch, and the order differs.
      const reads = stored.map((items, n) => [...items, ...(stored[n + 1] ?? [])].toReversed())
      const [found] = await Promise.all([
        Promise.all(
          reads.map((items) =>
            getAll(
              backend,
              items.map(({ key }) => key),
            ),
          ),
        ),
        Promise.all(more.map((items) => setAll(backend, items))),
        Promise.all(stored.flat().map((item) => stage.holds(item))),
      ])
      for (const [n, items] of reads.entries()) assertBatch(items, found[n] ?? [], `batch ${n} of concurrent batches`)
      for (const items of more)
        assertBatch(
          items,
          await getAll(
            backend,
            items.map(({ key }) => key),
          ),
          'a concurrent write',
        )
      if (!backend.deleteMany) return
      const removed = await Promise.all(stored.map((items) => backend.deleteMany?.(items.map(({ key }) => key))))
      assertSame(
        removed,
        stored.map((items) => items.length),
        'concurrent deleteMany calls',
      )
      assertSame(
        await stage.count(more.flat().map(({ key }) => key)),
        more.flat().length,
        'the number of other items left',
      )
    },
  }),
]

/** Around the sizes at which stores split a batch, and one beyond the number of parameters of a statement. */
const batchSizes: readonly number[] = [
  ...Array.from({ length: 21 }, (_, n) => n + 1),
  ...[
    31, 32, 33, 49, 50, 51, 63, 64, 65, 99, 100, 101, 127, 128, 129, 199, 200, 201, 249, 250, 251, 255, 256, 257, 300,
  ],
  ...[499, 500, 501, 511, 512, 513, 777, 999, 1000, 1001, 1023, 1024, 1025, 1500, 2000, 2001, 2047, 2048, 2049],
  ...[4095, 4096, 4097, 5000, 5001, 8192, 10_001, 20_000, 70_001],
]

/** Keys in no order, so that their order in a batch is not that of the store. */
function mixed(n: number): string {
  return `key ${(Math.imul(n, 0x9e3779b1) >>> 0).toString(36)} ${n}`
}

/** Fails unless each item is at its place: by value and version, because the comparison of all members takes long. */
function assertBatch(items: readonly Item[], found: readonly (Item | undefined)[], what: string): void {
  assertSame(found.length, items.length, `the number of items of ${what}`)
  for (const [n, item] of items.entries()) {
    const one = found[n]
    assert(one !== undefined, `${what} lost the item at place ${n}`)
    assert(
      one.key === item.key && one.version === item.version && one.value === item.value,
      `${what} has the item of ${show(one.key)} at place ${n}, which belongs to ${show(item.key)}`,
    )
  }
}

export const batches: Chapter = { title: '6 Batches', rules }
