import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'
import { handleRules } from '../every-call/handle-rules.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { assertItem } from '../stage/assert-item.ts'
import { collect } from '../stage/collect.ts'
import type { Stage } from '../stage/stage.ts'
import type { Chapter } from './chapter.ts'

const rules: readonly Rule[] = [
  rule({
    id: '11.1',
    says: 'a handle sees every set, delete, compare-and-set, increment and clear of another handle on the same data',
    means: ['openSecond'],
    async check(stage) {
      const { backend: one } = stage
      const two = await stage.opened(stage.harness.openSecond())
      for (const [writer, reader] of [
        [one, two],
        [two, one],
      ] as const) {
        const item = stage.item('k', { n: 1 }, { tags: { t: 'v' } })
        await reader.get('k')
        await writer.set(item)
        await stage.holds(item, reader)
        const next = stage.item('k', { n: 2 })
        await writer.set(next)
        await stage.holds(next, reader)
        if (writer.compareAndSet) {
          const swapped = stage.item('k', { n: 3 })
          assert.equal(await writer.compareAndSet('k', next.version, swapped), true)
          await stage.holds(swapped, reader)
          assert.equal(await reader.compareAndSet?.('k', next.version, undefined), false)
        }
        if (writer.increment) {
          assert.equal(await writer.increment('n', 2), 2)
          assert.equal(await reader.increment?.('n', 2), 4)
          assert.equal((await writer.get('n'))?.value, 4)
        }
        await seesBatches(stage, writer, reader)
        assert.equal(await writer.delete('k'), true)
        await stage.lacks('k', reader)
        for (const key of ['a:1', 'a:2', 'b:1']) await writer.set(stage.item(key, 1))
        assert.equal(await stage.count(['a:1', 'a:2', 'b:1'], reader), 3)
        await writer.clear('a:')
        assert.equal(await stage.count(['a:1', 'a:2', 'b:1'], reader), 1)
        await writer.clear()
        await stage.lacks('b:1', reader)
        if (reader.keys) assert.deepEqual(await collect(reader.keys()), [])
      }
    },
  }),

  rule({
    id: '11.2',
    says: 'items survive a restart, with their deadlines',
    means: ['reopen'],
    async check(stage) {
      const { backend, harness } = stage
      const far = stage.now() + 3_600_000
      const near = stage.soon(harness.clock ? 60_000 : 3_000)
      const items = [
        stage.item('plain', { list: [1, 2] }),
        stage.item('full', 'v', { expiresAt: far, staleAt: far - 1, tags: { t: 'v' }, cost: 3 }),
        stage.placeholder('placeholder', { expiresAt: far }),
        stage.item('large', 'x'.repeat(1_048_576)),
      ]
      const expiring = stage.item('expiring', 1, { expiresAt: near })
      for (const item of [...items, expiring]) await backend.set(item)
      await backend.set(stage.item('deleted', 1))
      await backend.delete('deleted')
      if (backend.increment) await backend.increment('counter', 41)
      await stage.close(backend)
      const again = await stage.opened(harness.reopen())
      for (const item of items) await stage.holds(item, again)
      await stage.lacks('deleted', again)
      if (again.increment) assert.equal(await again.increment('counter', 1), 42)
      await stage.pass(near, again)
      await stage.lacks('expiring', again)
      await stage.holds(items[1] as Item, again)
    },
  }),

  rule({
    id: '11.3',
    says: "two backends with different prefixes on one store do not see each other's items",
    means: ['openOther'],
    async check(stage) {
      const { backend: own } = stage
      const other = await stage.opened(stage.harness.openOther())
      const item = stage.item('k', 'own')
      await own.set(item)
      await stage.lacks('k', other)
      assert.equal(await other.delete('k'), false)
      if (other.keys) assert.deepEqual(await collect(other.keys()), [])
      if (other.getMany) assert.deepEqual(await other.getMany(['k']), [undefined])
      if (other.compareAndSet) assert.equal(await other.compareAndSet('k', item.version, undefined), false)
      if (other.increment) assert.equal(await other.increment('k', 7), 7)
      await other.set(stage.item('k', 'other'))
      await stage.holds(item)
      if (other.deleteMany) assert.equal(await other.deleteMany(['k']), 1)
      await other.clear()
      await stage.holds(item)
      if ((await other.stats?.())?.items !== undefined) {
        await stage.until(
          async () => (await other.stats?.())?.items === 0,
          '`stats().items` of the other backend to be 0',
        )
      }
      await stage.close(other)
      await stage.holds(item)
    },
  }),

  rule({
    id: '11.4',
    says: 'twenty handles that are opened concurrently on an empty store all open and store items',
    means: ['openMany'],
    opens: false,
    async check(stage) {
      const handles = await stage.harness.openMany(20)
      for (const handle of handles) await stage.opened(handle)
      assert.equal(handles.length, 20)
      const items = handles.map((_, n) => stage.item(`k${n}`, n))
      await Promise.all(handles.map((handle, n) => handle.set(items[n] as Item)))
      for (const handle of handles) for (const item of items) await stage.holds(item, handle)
    },
  }),

  rule({
    id: '11.5',
    says: 'a reader never sees parts of two items: while one handle overwrites, another reads the old or the new item',
    means: ['openSecond'],
    async check(stage) {
      const { backend: writer } = stage
      const reader = await stage.opened(stage.harness.openSecond())
      // Sizes around the limits at which stores use another place or write in pieces.
      const sizes = [1, 100, 5_000, 70_000, 300_000, 1_200_000]
      const made = new Map<string, Item>()
      const make = (round: number): Item => {
        const size = sizes[round % sizes.length] as number
        const text = String.fromCharCode(97 + (round % 26)).repeat(size)
        const item = stage.item('k', text, { tags: { round: `r${round}` }, cost: size })
        made.set(item.version, item)
        return item
      }
      await writer.set(make(0))
      let writing = true
      const write = async (): Promise<void> => {
        for (let round = 1; round <= 60; round += 1) await writer.set(make(round))
        writing = false
      }
      const read = async (): Promise<void> => {
        while (writing) {
          const found = await reader.get('k')
          assert(found !== undefined, 'a reader found the key empty while an item was overwritten')
          const item = made.get(found.version)
          assert(item !== undefined, 'a reader found a version that was never written')
          assert(found.value === item.value, 'a reader found the version of one item with the value of another')
          assertItem(found, item)
          // The writer must run as well when the store answers within the same tick.
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
      const ended = write().finally(() => {
        writing = false
      })
      await Promise.all([ended, read(), read()])
    },
  }),

  rule({
    id: '11.6',
    says: 'concurrent `compareAndSet`, `increment` and `delete` calls through two handles are each atomic',
    means: ['openSecond'],
    async check(stage) {
      const { backend: one } = stage
      const two = await stage.opened(stage.harness.openSecond())
      const calls = Array.from({ length: 20 }, (_, n) => (n % 2 ? two : one))
      await one.set(stage.item('deleted', 1))
      const deleted = await Promise.all(calls.map((handle) => handle.delete('deleted')))
      assert.equal(deleted.filter(Boolean).length, 1, 'deletes that resolved to true')
      if (one.compareAndSet) {
        const nexts = calls.map((_, n) => stage.item('swapped', n))
        const won = await Promise.all(calls.map((handle, n) => handle.compareAndSet?.('swapped', undefined, nexts[n])))
        assert.equal(won.filter(Boolean).length, 1, '`compareAndSet` calls that expected `undefined` and succeeded')
        await stage.holds(nexts[won.indexOf(true)] as Item)
      }
      if (one.increment) {
        const many = Array.from({ length: 25 }, () => calls).flat()
        await Promise.all(many.map((handle) => handle.increment?.('counter', 1)))
        for (const handle of [one, two]) assert.equal((await handle.get('counter'))?.value, many.length)
      }
    },
  }),
]

export const handles: Chapter = { title: '11 Several handles', rules: [...rules, ...handleRules] }

async function seesBatches(
  stage: Pick<Stage, 'item' | 'holds'>,
  writer: CacheBackend,
  reader: CacheBackend,
): Promise<void> {
  const items = [stage.item('m:1', 1), stage.item('m:2', 2)]
  if (writer.setMany) await writer.setMany(items)
  else for (const item of items) await writer.set(item)
  for (const item of items) await stage.holds(item, reader)
  if (writer.deleteMany) {
    assert.equal(await writer.deleteMany(['m:1', 'm:2', 'm:3']), 2)
    if (reader.getMany) assert.deepEqual(await reader.getMany(['m:1', 'm:2']), [undefined, undefined])
  }
}
