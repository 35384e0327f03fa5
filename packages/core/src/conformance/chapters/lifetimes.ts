import assert from 'node:assert/strict'
import type { Item } from '../../protocol/item.ts'
import { deadlineRules } from '../every-call/deadline-rules.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { collect } from '../stage/collect.ts'
import type { Chapter } from './chapter.ts'

const year = 365 * 24 * 3_600_000

const rules: readonly Rule[] = [
  rule({
    id: '2.1',
    says: 'an item without `expiresAt` does not expire',
    async check(stage) {
      const item = stage.item('k', 1)
      await stage.backend.set(item)
      await stage.pass(stage.harness.clock ? stage.now() + 10 * year : stage.soon())
      await stage.holds(item)
    },
  }),

  rule({
    id: '2.2',
    says: 'an item is returned before its `expiresAt`, and is a miss from that instant on',
    async check(stage) {
      const deadline = stage.soon()
      const item = stage.item('k', 1, { expiresAt: deadline })
      await stage.backend.set(item)
      const found = await stage.backend.get('k')
      assert(found !== undefined || !stage.before(deadline), 'a miss before the deadline')
      stage.harness.clock?.advance(999)
      if (stage.harness.clock) await stage.holds(item)
      await stage.pass(deadline)
      await stage.lacks('k')
    },
  }),

  rule({
    id: '2.3',
    says: '`set` of an item whose `expiresAt` has passed leaves the key empty, even if another item was there',
    async check(stage) {
      for (const expiresAt of [stage.now() - 1, stage.now(), stage.now() - 3_600_000, 0, -1]) {
        await stage.backend.set(stage.item('k', 'old'))
        await stage.backend.set(stage.item('k', 'late', { expiresAt }))
        await stage.lacks('k')
        await stage.backend.set(stage.item('new', 'late', { expiresAt }))
        await stage.lacks('new')
      }
      assert.equal(await stage.backend.delete('k'), false, 'delete of an item that had expired before its set')
    },
  }),

  rule({
    id: '2.4',
    says: 'a deadline more than 2^31 ms ahead is kept exactly',
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
    says: 'a deadline one millisecond ahead is kept',
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
        // A load that never ends must not block its key forever (RACES R22).
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
    says: 'a read of an expired item never removes a fresh item that was set in the meantime',
    async check(stage) {
      const { backend } = stage
      // One key for each interleaving: the fresh item is set after this number of microtasks.
      const keys = Array.from({ length: 24 }, (_, ticks) => `k${ticks}`)
      const deadline = stage.soon()
      for (const key of keys) await backend.set(stage.item(key, 'old', { expiresAt: deadline }))
      await stage.pass(deadline)
      const fresh = keys.map((key) => stage.item(key, 'fresh'))
      const races = fresh.map(async (item, ticks) => {
        const readers = [backend.get(item.key), backend.get(item.key)]
        if (backend.getMany) readers.push(backend.getMany([item.key]).then(([found]) => found))
        for (let tick = 0; tick < ticks; tick += 1) await null
        await backend.set(item)
        await Promise.all(readers)
      })
      await Promise.all(races)
      for (const item of fresh) await stage.holds(item)
    },
  }),

  rule({
    id: '2.8',
    says: '`staleAt` is kept, and a backend ignores it: a stale item is returned',
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

export const lifetimes: Chapter = { title: '2 Lifetimes', rules: [...rules, ...deadlineRules] }
