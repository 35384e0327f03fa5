import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { confusableKeys, keysOfEqualHash, longKeys } from '../samples/confusable-keys.ts'
import { hardKeys } from '../samples/hard-keys.ts'
import { assertSame } from '../stage/assert-same.ts'
import { getAll, setAll } from '../stage/batches.ts'
import { collect } from '../stage/collect.ts'
import { show } from '../stage/show.ts'
import type { Stage } from '../stage/stage.ts'
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
      await staysDistinct(stage, hardKeys)
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

  rule({
    id: '4.4',
    says: 'keys that a common hash confuses are distinct in every call',
    async check(stage) {
      await staysDistinct(stage, keysOfEqualHash())
    },
  }),

  rule({
    id: '4.5',
    says: 'keys of any length that differ in one place are distinct in every call',
    async check(stage) {
      await staysDistinct(stage, longKeys())
    },
  }),

  rule({
    id: '4.6',
    says: 'keys that Unicode normalization, trimming, decoding or another common change of text makes equal are distinct in every call',
    async check(stage) {
      await staysDistinct(stage, [...new Set(confusableKeys)])
    },
  }),
]

export const keys: Chapter = { title: '4 Keys', rules }

type KeyStage = Pick<Stage, 'backend' | 'item' | 'holds' | 'lacks'>

/** Fails unless every call of the backend treats these keys as different ones. The values are the indexes of the keys. */
async function staysDistinct(stage: KeyStage, keys: readonly string[]): Promise<void> {
  const { backend } = stage
  const items = (): Item[] => keys.map((key, n) => stage.item(key, n))
  const all = async (method: string): Promise<void> => assertOwnItems(keys, await getAll(backend, keys), method)
  for (const item of items()) await backend.set(item)
  assertOwnItems(keys, await Promise.all(keys.map((key) => backend.get(key))), 'get')
  await all('set')
  for (const item of items().toReversed()) await backend.set(item)
  await all('set in reverse order')
  await backend.clear()
  await setAll(backend, items())
  await all('setMany')
  if (backend.keys) await yieldsAll(backend, keys)
  const each = (call: (key: string, n: number) => Promise<void>): Promise<unknown> => Promise.all(keys.map(call))
  if (backend.compareAndSet) {
    await each(async (key, n) => {
      const version = (await backend.get(key))?.version
      const done = await backend.compareAndSet?.(key, version, stage.item(key, n))
      assertSame(done, true, `compareAndSet(${show(key)})`)
    })
    await all('compareAndSet')
  }
  if (backend.increment) {
    await each(async (key, n) => assertSame(await backend.increment?.(key, 1), n + 1, `increment(${show(key)})`))
    await each(async (key, n) => assertSame(await backend.increment?.(key, -1), n, `increment(${show(key)})`))
    await all('increment')
  }
  await removesOnlyItsKeys(stage, keys)
}

/** Removes one half of the keys, which must leave the other half. Two keys are in different halves at least once. */
async function removesOnlyItsKeys(stage: KeyStage, keys: readonly string[]): Promise<void> {
  const { backend } = stage
  const items = keys.map((key, value) => ({ key, value }))
  for (let bit = 1; bit < keys.length; bit *= 2) {
    for (const side of [0, bit]) {
      const gone = items.filter((_, n) => (n & bit) === side)
      const left = items.filter((_, n) => (n & bit) !== side)
      const names = gone.map(({ key }) => key)
      if (backend.deleteMany && bit % 3 === 1) assertSame(await backend.deleteMany(names), names.length, 'deleteMany')
      else
        await Promise.all(names.map(async (key) => assertSame(await backend.delete(key), true, `delete(${show(key)})`)))
      const found = await getAll(
        backend,
        [...left, ...gone].map(({ key }) => key),
      )
      const lost = left.filter(({ value }, n) => found[n]?.value !== value).map(({ key }) => show(key))
      const kept = gone.filter((_, n) => found[left.length + n] !== undefined).map(({ key }) => show(key))
      assert(
        lost.length + kept.length === 0,
        `after deletes of other keys are lost: ${few(lost)}; still there are: ${few(kept)}`,
      )
      await setAll(
        backend,
        gone.map(({ key, value }) => stage.item(key, value)),
      )
    }
  }
}

/** Fails with all confused keys unless the value of each item is the index of its key. */
function assertOwnItems(keys: readonly string[], found: readonly (Item | undefined)[], method: string): void {
  assertSame(found.length, keys.length, `the number of items by ${method}`)
  const faults = keys.flatMap((key, n) => {
    const item = found[n]
    if (item?.value === n) return []
    return item === undefined
      ? `${show(key)} is missing`
      : `${show(key)} holds the value of ${show(keys[Number(item.value)])}`
  })
  assert(faults.length === 0, `${method}: ${few(faults)}`)
}

/** The first texts of a list, and their number. */
function few(texts: readonly string[]): string {
  if (texts.length === 0) return 'none'
  return `${texts.slice(0, 10).join('; ')}${texts.length > 10 ? `; ${texts.length} in all` : ''}`
}

/** Fails unless `keys` yields exactly these keys. It may yield a key twice (8.3). */
async function yieldsAll(backend: CacheBackend, expected: readonly string[]): Promise<void> {
  const found = new Set(await collect(backend.keys?.()))
  const missing = expected.filter((key) => !found.has(key)).map(show)
  const wrong = [...found].filter((key) => !expected.includes(key)).map(show)
  assert(missing.length + wrong.length === 0, `keys: missing are ${few(missing)}; wrong are ${few(wrong)}`)
}
