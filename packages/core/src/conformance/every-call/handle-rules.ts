import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { hardKeys } from '../samples/hard-keys.ts'
import { assertSame } from '../stage/assert-same.ts'
import { getAll, setAll } from '../stage/batches.ts'
import { collect } from '../stage/collect.ts'
import { Faults } from '../stage/faults.ts'
import { removalsOf } from '../stage/removals-of.ts'
import type { Stage } from '../stage/stage.ts'
import { writesOf } from '../stage/writes-of.ts'

/** 11.7 and 11.8: restarts and prefixes, through every call. */
export const handleRules: readonly Rule[] = [
  rule({
    id: '11.7',
    says: 'a restart keeps what every call stored and removed, with versions, deadlines and counters',
    means: ['reopen'],
    async check(stage) {
      const { backend, harness } = stage
      const far = stage.now() + 3_600_123
      const stored: Item[] = []
      const removed: string[] = []
      for (const { name, store } of writesOf(backend)) {
        for (const removal of removalsOf(backend, stage)) {
          const key = `${name}, ${removal.name}`
          removed.push(key)
          await store(stage.item(key, 1))
          await removal.remove(key)
        }
        const values = ['text', 0, null, { list: [1, 2] }, undefined]
        for (const [n, value] of values.entries()) {
          const rest = [
            {},
            { expiresAt: far + n },
            { tags: { 'a:b': 'v1', '': 'v2' }, cost: 7 },
            { staleAt: far, createdAt: 1 },
          ]
          for (const [place, members] of rest.entries()) {
            const key = `${name} ${n} ${place}`
            // Overwritten once, because a store may keep the first item beside the second.
            if (place % 2) await store(stage.item(key, 'first', { expiresAt: far + 9 }))
            const item = stage.item(key, value, members)
            await store(item)
            stored.push(item)
          }
        }
      }
      const many = Array.from({ length: 3000 }, (_, n) => stage.item(`many:${n}`, n))
      await setAll(backend, many)
      for (const { name, store } of writesOf(backend)) {
        const hard = hardKeys.map((key) => stage.item(`${name} hard ${key}`, key))
        await Promise.all(hard.map(store))
        stored.push(...hard)
      }
      await setAll(
        backend,
        ['cleared:1', 'cleared:2'].map((key) => stage.item(key, 1)),
      )
      await backend.clear('cleared:')
      removed.push('cleared:1', 'cleared:2')
      if (backend.increment) {
        await backend.increment('counter', 40)
        await backend.increment('counter', 1)
        await backend.increment('dated counter', 1, far)
      }
      const counter = await backend.get('counter')
      await stage.close(backend)
      const again = await stage.opened(harness.reopen())
      const faults = new Faults()
      for (const item of stored) await faults.attempt('a stored item', () => stage.holds(item, again))
      for (const key of removed) await faults.attempt('a removed item', () => stage.lacks(key, again))
      await faults.attempt('three thousand items', async () => {
        const found = await getAll(
          again,
          many.map(({ key }) => key),
        )
        assertSame(
          found.filter((item, n) => item?.version === many[n]?.version).length,
          many.length,
          'their number after the restart',
        )
      })
      if (again.keys) {
        const yields = async (): Promise<void> => {
          const keys = new Set(await collect(again.keys?.('many:')))
          assertSame(keys.size, many.length, 'the number of keys after the restart')
        }
        await faults.attempt('keys', yields)
      }
      if (counter && again.increment) {
        await faults.attempt('a counter', async () => {
          assertSame((await again.get('counter'))?.version, counter.version, 'the version of the counter')
          assertSame(await again.increment?.('counter', 1), 42, 'increment after the restart')
          const ends = (await again.get('dated counter'))?.expiresAt ?? 0
          assert(Math.abs(ends - far) < 1000, `the deadline of a counter is ${ends} instead of ${far}`)
        })
      }
      if (again.compareAndSet) {
        const [item] = stored as [Item]
        const next = stage.item(item.key, 'next')
        await faults.attempt('compareAndSet', async () => {
          assertSame(
            await again.compareAndSet?.(item.key, undefined, next),
            false,
            'compareAndSet that expects undefined',
          )
          assertSame(
            await again.compareAndSet?.(item.key, item.version, next),
            true,
            'compareAndSet that expects the stored version',
          )
        })
      }
      faults.report()
    },
  }),

  rule({
    id: '11.8',
    says: 'no call of one backend reads or changes an item of a backend with another prefix, in either direction',
    means: ['openOther'],
    async check(stage) {
      const faults = new Faults()
      for (const relation of ['any', 'longer'] as const) {
        const own = stage.backend
        const other = await stage.opened(stage.harness.openOther(relation))
        for (const [one, two] of [
          [own, other],
          [other, own],
        ] as const) {
          const side = `${relation === 'any' ? 'another' : 'a longer'} prefix, ${one === own ? 'calls of the first' : 'calls of the second'}`
          await leavesAlone(stage, one, two, side, faults)
          await one.clear()
          await two.clear()
        }
      }
      faults.report()
    },
  }),
]

/** Runs every call of `one`, and compares the items of `two` after each. Both have the same keys. */
async function leavesAlone(
  stage: Pick<Stage, 'item' | 'now' | 'holds'>,
  one: CacheBackend,
  two: CacheBackend,
  side: string,
  faults: Faults,
): Promise<void> {
  const keys = ['', 'k', 'k:1', ':', '/', '2', 'own', 'other', 'r:', '*']
  const items = keys.map((key) => stage.item(key, `of two ${key}`))
  const check = async (name: string): Promise<void> => {
    for (const item of items) await faults.attempt(`${side}, after ${name}`, () => stage.holds(item, two))
  }
  for (const item of items) await two.set(item)
  await faults.attempt(`${side}, before a write`, async () => {
    for (const key of keys) assertSame(await one.get(key), undefined, `get(${JSON.stringify(key)})`)
    if (one.getMany)
      assertSame(
        await one.getMany(keys),
        keys.map(() => undefined),
        'getMany',
      )
    if (one.keys) assertSame(await collect(one.keys()), [], 'keys')
    for (const key of keys) assertSame(await one.delete(key), false, `delete(${JSON.stringify(key)})`)
    if (one.deleteMany) assertSame(await one.deleteMany(keys), 0, 'deleteMany')
    if (one.compareAndSet)
      assertSame(await one.compareAndSet('k', items[1]?.version, undefined), false, 'compareAndSet')
    if (one.increment) assertSame(await one.increment('n', 7), 7, 'increment')
    if (two.increment) assertSame(await two.increment('n', 5), 5, 'increment of the other backend')
    await two.delete('n')
  })
  await check('reads and deletes')
  for (const { name, store } of writesOf(one)) {
    for (const key of keys) await faults.attempt(`${side}, ${name}`, () => store(stage.item(key, 'of one')))
    await check(name)
  }
  for (const removal of removalsOf(one, stage)) {
    for (const key of keys) await one.set(stage.item(key, 'of one'))
    for (const key of keys) await removal.remove(key)
    await check(removal.name)
  }
  for (const clear of [() => one.clear(), () => one.clear(''), () => one.clear('k'), () => one.clear('*')]) {
    for (const key of keys) await one.set(stage.item(key, 'of one'))
    await clear()
    await check('clear')
  }
  for (const key of keys) await one.set(stage.item(key, 'of one'))
  if (two.keys) {
    await faults.attempt(`${side}, keys`, async () =>
      assertSame((await collect(two.keys?.())).sort(), [...keys].sort(), 'keys of the other backend'),
    )
  }
}
