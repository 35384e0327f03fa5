import assert from 'node:assert/strict'
import type { Item } from '../../protocol/item.ts'
import { type Rule, rule } from '../rules/rule.ts'
import { collect } from '../stage/collect.ts'
import type { Chapter } from './chapter.ts'

const year = 365 * 24 * 3_600_000

const rules: readonly Rule[] = [
  rule({
    id: '2.1',
    says: 'an item without `expiresAt` stays',
    async check(stage) {
      const item = stage.item('k', 1)
      await stage.backend.set(item)
      await stage.pass(stage.harness.clock ? stage.now() + 10 * year : stage.soon())
      await stage.holds(item)
    },
  }),

  rule({
    id: '2.2',
    says: 'an item is served until its `expiresAt` and not from that instant on',
    async check(stage) {
      const deadline = stage.soon()
      const item = stage.item('k', 1, { expiresAt: deadline })
      await stage.backend.set(item)
      const found = await stage.backend.get('k')
      assert(found !== undefined || !stage.before(deadline), 'gone before its deadline')
      stage.harness.clock?.advance(999)
      if (stage.harness.clock) await stage.holds(item)
      await stage.pass(deadline)
      await stage.lacks('k')
    },
  }),

  rule({
    id: '2.3',
    says: 'setting an item whose `expiresAt` has passed leaves the key empty, also where another item was',
    async check(stage) {
      for (const expiresAt of [stage.now() - 1, stage.now(), stage.now() - 3_600_000, 0, -1]) {
        await stage.backend.set(stage.item('k', 'old'))
        await stage.backend.set(stage.item('k', 'late', { expiresAt }))
        await stage.lacks('k')
        await stage.backend.set(stage.item('new', 'late', { expiresAt }))
        await stage.lacks('new')
      }
      assert.equal(await stage.backend.delete('k'), false, 'delete of what had expired when it was set')
    },
  }),

  rule({
    id: '2.4',
    says: 'a deadline more than 2^31 ms ahead is kept, neither forgotten nor taken for the past',
    async check(stage) {
      const far = [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32, 2 ** 32 + 5, 2 ** 33, 100 * year, 8.9e15]
      const items = far.map((ms, n) => stage.item(`k${n}`, n, { expiresAt: stage.now() + ms }))
      for (const item of items) await stage.backend.set(item)
      for (const item of items) await stage.holds(item)
      const clock = stage.harness.clock
      if (!clock) return
      for (const item of items) {
        if ((item.expiresAt ?? 0) > clock.now() + 200 * year) continue
        clock.advance((item.expiresAt ?? 0) - 1 - clock.now())
        await stage.holds(item)
        clock.advance(1)
        await stage.lacks(item.key)
      }
    },
  }),

  rule({
    id: '2.5',
    says: 'a deadline one millisecond ahead works',
    async check(stage) {
      const item = stage.item('k', 1, { expiresAt: stage.now() + 1 })
      await stage.backend.set(item)
      if (stage.harness.clock) {
        await stage.holds(item)
        stage.harness.clock.advance(1)
        await stage.lacks('k')
      } else {
        await stage.until(async () => (await stage.backend.get('k')) === undefined, 'one millisecond to pass')
      }
    },
  }),

  rule({
    id: '2.6',
    says: 'an expired item counts as absent for `delete`, `compareAndSet`, `increment`, `keys` and the batches',
    async check(stage) {
      const { backend } = stage
      const deadline = stage.soon()
      const expired = (key: string): Item => stage.item(key, 5, { expiresAt: deadline })
      const keys = ['delete', 'compareAndSet', 'compareAndSet version', 'increment', 'keys', 'getMany', 'deleteMany']
      const versions = new Map<string, string>()
      for (const key of keys) {
        const item = expired(key)
        versions.set(key, item.version)
        await backend.set(item)
      }
      await backend.set(stage.placeholder('placeholder', { expiresAt: deadline }))
      await stage.pass(deadline)
      assert.equal(await backend.delete('delete'), false, 'delete')
      if (backend.compareAndSet) {
        const version = versions.get('compareAndSet version')
        assert.equal(
          await backend.compareAndSet('compareAndSet version', version, stage.item('compareAndSet version', 2)),
          false,
          'compareAndSet by version',
        )
        const next = stage.item('compareAndSet', 'next')
        assert.equal(
          await backend.compareAndSet('compareAndSet', undefined, next),
          true,
          'compareAndSet expecting undefined',
        )
        await stage.holds(next)
        await backend.delete('compareAndSet')
        // A load that never ends does not hold its key for ever (RACES R22).
        assert.equal(
          await backend.compareAndSet('placeholder', undefined, stage.item('placeholder', 1)),
          true,
          'compareAndSet over an expired placeholder',
        )
        await backend.delete('placeholder')
      }
      if (backend.increment) {
        assert.equal(await backend.increment('increment', 2), 2, 'increment')
        await backend.delete('increment')
      }
      if (backend.keys) assert.deepEqual(await collect(backend.keys()), [], 'keys')
      if (backend.getMany) assert.deepEqual(await backend.getMany(['getMany']), [undefined], 'getMany')
      if (backend.deleteMany) assert.equal(await backend.deleteMany(['deleteMany']), 0, 'deleteMany')
    },
  }),

  rule({
    id: '2.7',
    says: 'reading an expired item never removes a fresh one that was set meanwhile',
    async check(stage) {
      const { backend } = stage
      // One key for each interleaving: the fresh item is set after `turns` turns of the readers.
      const keys = Array.from({ length: 24 }, (_, turns) => `k${turns}`)
      const deadline = stage.soon()
      for (const key of keys) await backend.set(stage.item(key, 'old', { expiresAt: deadline }))
      await stage.pass(deadline)
      const fresh = keys.map((key) => stage.item(key, 'fresh'))
      const races = fresh.map(async (item, turns) => {
        const readers = [backend.get(item.key), backend.get(item.key)]
        if (backend.getMany) readers.push(backend.getMany([item.key]).then(([found]) => found))
        for (let turn = 0; turn < turns; turn += 1) await null
        await backend.set(item)
        await Promise.all(readers)
      })
      await Promise.all(races)
      for (const item of fresh) await stage.holds(item)
    },
  }),

  rule({
    id: '2.8',
    says: '`staleAt` is kept and changes nothing in a backend: a stale item is served',
    async check(stage) {
      const staleAt = stage.soon()
      const item = stage.item('k', 1, { staleAt, expiresAt: stage.now() + 3_600_000 })
      const stale = stage.item('was stale', 1, { staleAt: stage.now() - 1 })
      await stage.backend.set(item)
      await stage.backend.set(stale)
      await stage.pass(staleAt)
      await stage.holds(item)
      await stage.holds(stale)
    },
  }),
]

export const lifetimes: Chapter = { title: '2 Lifetimes', rules }
