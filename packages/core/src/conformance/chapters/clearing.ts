import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { hardPrefixes } from '../samples/hard-keys.ts'
import { setAll } from '../stage/batches.ts'
import { collect } from '../stage/collect.ts'
import type { Chapter } from './chapter.ts'

const rules: readonly Rule[] = [
  rule({
    id: '5.1',
    says: '`delete` removes the item and resolves to `true`, the second time to `false`',
    async check(stage) {
      const other = stage.item('other', 1)
      await stage.backend.set(other)
      for (const value of ['v', 0, null, false]) {
        await stage.backend.set(stage.item('k', value))
        assert.equal(await stage.backend.delete('k'), true)
        await stage.lacks('k')
        assert.equal(await stage.backend.delete('k'), false)
      }
      assert.equal(await stage.backend.delete('never set'), false)
      await stage.holds(other)
    },
  }),

  rule({
    id: '5.2',
    says: '`delete` of a placeholder removes it and resolves to `false`',
    async check(stage) {
      await stage.backend.set(stage.placeholder('k'))
      assert.equal(await stage.backend.delete('k'), false)
      await stage.lacks('k')
    },
  }),

  rule({
    id: '5.3',
    says: 'of many concurrent deletes of one key, exactly one resolves to `true`',
    async check(stage) {
      for (let round = 0; round < 5; round += 1) {
        await stage.backend.set(stage.item('k', round))
        const answers = await Promise.all(Array.from({ length: 20 }, () => stage.backend.delete('k')))
        assert.equal(answers.filter(Boolean).length, 1)
      }
    },
  }),

  rule({
    id: '5.4',
    says: '`clear()` removes every item of this backend, placeholders included, and the backend still works',
    async check(stage) {
      const { backend } = stage
      await backend.clear()
      for (const key of ['a', 'b:c', '', '@#tag', '@/ns/:k']) await backend.set(stage.item(key, 1))
      await backend.set(stage.placeholder('placeholder'))
      await backend.clear()
      for (const key of ['a', 'b:c', '', '@#tag', '@/ns/:k', 'placeholder']) await stage.lacks(key)
      const item = stage.item('a', 2)
      await backend.set(item)
      await stage.holds(item)
    },
  }),

  rule({
    id: '5.5',
    says: '`clear(prefix)` removes exactly the keys that start with the prefix; no character is a wildcard or an escape',
    async check(stage) {
      const { backend } = stage
      for (const { prefix, own, others } of hardPrefixes) {
        const kept = others.map((key) => stage.item(key, key))
        await backend.set(stage.item(prefix, 1))
        await backend.set(stage.item(own, 1))
        await backend.set(stage.placeholder(`${own} placeholder`))
        for (const item of kept) await backend.set(item)
        await backend.clear(prefix)
        for (const key of [prefix, own, `${own} placeholder`]) await stage.lacks(key)
        for (const item of kept) await stage.holds(item)
        await backend.clear('')
        for (const item of kept) await stage.lacks(item.key)
      }
    },
  }),

  rule({
    id: '5.6',
    says: '`clear` removes nothing that belongs to another backend on the same store',
    means: ['openOther'],
    async check(stage) {
      const other = await stage.opened(stage.harness.openOther())
      const own = stage.item('k', 'own')
      const foreign = stage.item('k', 'foreign')
      for (const clear of [
        () => stage.backend.clear(),
        () => stage.backend.clear(''),
        () => stage.backend.clear('k'),
      ]) {
        await stage.backend.set(own)
        await other.set(foreign)
        await clear()
        await stage.lacks('k')
        await stage.holds(foreign, other)
      }
    },
  }),

  rule({
    id: '5.7',
    says: '`clear` removes every item that was stored before the call, in any number',
    async check(stage) {
      const { backend } = stage
      const count = 24_000
      const items = Array.from({ length: count }, (_, n) => stage.item(`${n % 2 ? 'odd' : 'even'}:${n}`, n))
      await setAll(backend, items)
      const keys = items.map((item) => item.key)
      await backend.clear('odd:')
      assert.equal(await stage.count(keys), count / 2, 'items left by clear(prefix)')
      await backend.clear()
      assert.equal(await stage.count(keys), 0, 'items left by clear()')
      if (backend.keys) assert.equal((await collect(backend.keys())).length, 0, 'keys left by clear()')
    },
  }),

  rule({
    id: '5.8',
    says: 'after `clear`, a `compareAndSet` that expects an earlier version fails, so a late result is not stored',
    members: ['compareAndSet'],
    async check(stage) {
      const { backend } = stage
      for (const clear of [() => backend.clear(), () => backend.clear('k')]) {
        const held = stage.placeholder('k', { expiresAt: stage.now() + 60_000 })
        assert.equal(await backend.compareAndSet('k', undefined, held), true)
        await clear()
        assert.equal(await backend.compareAndSet('k', held.version, stage.item('k', 'late')), false)
        await stage.lacks('k')
      }
    },
  }),

  rule({
    id: '5.9',
    says: '`delete` and `clear` remove an item whose `set` has resolved, and an item that is set after them stays',
    async check(stage) {
      const { backend } = stage
      const changes: ((backend: CacheBackend, key: string) => Promise<unknown>)[] = [
        (handle, key) => handle.delete(key),
        (handle) => handle.clear(),
        (handle, key) => handle.clear(key),
      ]
      for (const change of changes) {
        for (let round = 0; round < 20; round += 1) {
          await backend.set(stage.item('k', 'before'))
          await change(backend, 'k')
          await stage.lacks('k')
          const after = stage.item('k', 'after')
          await backend.set(after)
          await stage.holds(after)
        }
      }
    },
  }),

  rule({
    id: '5.10',
    says: 'a read that starts after a write has resolved sees that write, even while an earlier read is in flight',
    async check(stage) {
      const { backend } = stage
      for (let round = 0; round < 10; round += 1) {
        await backend.set(stage.item('k', 'old'))
        const early = [backend.get('k'), backend.get('k')]
        const fresh = stage.item('k', 'fresh')
        await backend.set(fresh)
        await stage.holds(fresh)
        early.push(backend.get('k'))
        await backend.delete('k')
        await stage.lacks('k')
        await Promise.all(early)
      }
    },
  }),
]

export const clearing: Chapter = { title: '5 Deleting and clearing', rules }
