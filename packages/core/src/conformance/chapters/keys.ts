import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
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
      assertOwnItems(hardKeys, await Promise.all(hardKeys.map((key) => stage.backend.get(key))), 'get')
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
      assertOwnItems(hardKeys, found, 'getMany')
      if (backend.keys) await yieldsAll(backend, hardKeys)
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
      const keys = items.map((item) => item.key)
      assertOwnItems(keys, await getAll(stage.backend, keys), 'getMany')
      await stage.lacks(start)
      await stage.lacks(`${start}1000`)
    },
  }),
]

export const keys: Chapter = { title: '4 Keys', rules }

/** Fails with all confused keys unless the value of each item is the index of its key. */
function assertOwnItems(keys: readonly string[], found: readonly (Item | undefined)[], method: string): void {
  assert.equal(found.length, keys.length, `${method} gave another number of items than of keys`)
  const faults = keys.flatMap((key, n) => {
    const item = found[n]
    if (item?.value === n) return []
    return item === undefined
      ? `${show(key)} is missing`
      : `${show(key)} holds the value of ${show(keys[Number(item.value)])}`
  })
  assert.equal(
    faults.length,
    0,
    `${method}: ${faults.slice(0, 10).join('; ')}${faults.length > 10 ? `; ${faults.length} in all` : ''}`,
  )
}

/** Fails unless `keys` yields exactly these keys. It may yield a key twice (8.3). */
async function yieldsAll(backend: CacheBackend, expected: readonly string[]): Promise<void> {
  const found = new Set(await collect(backend.keys?.() ?? none()))
  const missing = expected.filter((key) => !found.has(key)).map(show)
  const wrong = [...found].filter((key) => !expected.includes(key)).map(show)
  assert(
    missing.length + wrong.length === 0,
    `keys: missing are ${missing.join(', ') || 'none'}; wrong are ${wrong.join(', ') || 'none'}`,
  )
}

async function* none(): AsyncIterable<string> {}
