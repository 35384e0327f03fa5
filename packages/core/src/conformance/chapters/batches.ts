import assert from 'node:assert/strict'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { emptySamples, keptByDefault } from '../samples/samples.ts'
import { assertItem } from '../stage/assert-item.ts'
import { getAll, setAll } from '../stage/batches.ts'
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
      const keeps = stage.harness.keeps ?? keptByDefault
      const samples = emptySamples.filter((sample) => sample.kind === undefined || keeps.includes(sample.kind))
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
]

export const batches: Chapter = { title: '6 Batches', rules }
