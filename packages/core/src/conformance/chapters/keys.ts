import assert from 'node:assert/strict'
import { type Rule, rule } from '../rules/rule.ts'
import { hardKeys } from '../samples/hard-keys.ts'
import { getAll, setAll } from '../stage/batches.ts'
import { collect } from '../stage/collect.ts'
import { show } from '../stage/show.ts'
import type { Chapter } from './chapter.ts'

const rules: readonly Rule[] = [
  rule({
    id: '4.1',
    says: 'keys that differ in any character are distinct, and every key round trips',
    async check(stage) {
      const items = hardKeys.map((key, n) => stage.item(key, n))
      for (const item of items) await stage.backend.set(item)
      for (const item of items) await stage.holds(item)
      for (const [n, item] of items.entries()) {
        assert.equal(await stage.backend.delete(item.key), true, `delete(${show(item.key)})`)
        await stage.lacks(item.key)
        const next = items[n + 1]
        if (next) await stage.holds(next)
      }
    },
  }),

  rule({
    id: '4.2',
    says: 'batches, `compareAndSet`, `increment` and `keys` keep such keys distinct',
    async check(stage) {
      const { backend } = stage
      const items = hardKeys.map((key, n) => stage.item(key, n))
      await setAll(backend, items)
      const found = await getAll(backend, hardKeys)
      assert.deepEqual(
        found.map((item) => item?.value),
        items.map((item) => item.value),
        'getMany',
      )
      if (backend.keys) assert.deepEqual((await collect(backend.keys())).sort(), [...hardKeys].sort(), 'keys')
      if (backend.increment) {
        for (const [n, key] of hardKeys.entries()) {
          assert.equal(await backend.increment(key, 1000), n + 1000, `increment(${show(key)})`)
        }
      }
      if (backend.compareAndSet) {
        for (const key of hardKeys) {
          const version = (await backend.get(key))?.version
          const next = stage.item(key, 'swapped')
          assert.equal(await backend.compareAndSet(key, version, next), true, `compareAndSet(${show(key)})`)
          await stage.holds(next)
        }
      }
      if (backend.deleteMany) assert.equal(await backend.deleteMany(hardKeys), hardKeys.length, 'deleteMany')
    },
  }),

  rule({
    id: '4.3',
    says: 'a thousand keys that share their first 3,000 characters stay distinct',
    async check(stage) {
      const start = 'long'.repeat(750)
      const items = Array.from({ length: 1000 }, (_, n) => stage.item(`${start}${n}`, n))
      await setAll(stage.backend, items)
      const found = await getAll(
        stage.backend,
        items.map((item) => item.key),
      )
      assert.deepEqual(
        found.map((item) => item?.value),
        items.map((item) => item.value),
      )
      await stage.lacks(start)
      await stage.lacks(`${start}1000`)
    },
  }),
]

export const keys: Chapter = { title: '4 Keys', rules }
