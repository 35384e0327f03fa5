import assert from 'node:assert/strict'
import { type Rule, rule } from '../rule.ts'
import type { Chapter } from './chapter.ts'

const rules: readonly Rule[] = [
  rule({
    id: '3.1',
    says: '`swap` with the version that is there replaces the item and resolves to `true`',
    members: ['swap'],
    async check(stage) {
      const old = stage.item('k', 'old', { tags: { t: 'v' }, cost: 3, expiresAt: stage.now() + 60_000 })
      const next = stage.item('k', 'next', { staleAt: stage.now() + 5 })
      await stage.backend.set(old)
      assert.equal(await stage.backend.swap('k', old.version, next), true)
      await stage.holds(next)
      const last = stage.item('k', 'last', { expiresAt: stage.now() + 60_000, tags: { a: 'b' } })
      assert.equal(await stage.backend.swap('k', next.version, last), true)
      await stage.holds(last)
    },
  }),

  rule({
    id: '3.2',
    says: '`swap` with another version changes nothing and resolves to `false`',
    members: ['swap'],
    async check(stage) {
      const old = stage.item('k', 'old', { expiresAt: stage.now() + 60_000 })
      await stage.backend.set(old)
      for (const version of [`${old.version}x`, old.version.slice(0, -1), `${old.version.toUpperCase()}A`, '0']) {
        assert.equal(await stage.backend.swap('k', version, stage.item('k', 'next')), false)
        assert.equal(await stage.backend.swap('k', version, undefined), false)
      }
      await stage.holds(old)
    },
  }),

  rule({
    id: '3.3',
    says: '`swap` expecting `undefined` stores only where no live item is',
    members: ['swap'],
    async check(stage) {
      const first = stage.item('k', null)
      assert.equal(await stage.backend.swap('k', undefined, first), true)
      await stage.holds(first)
      assert.equal(await stage.backend.swap('k', undefined, stage.item('k', 'second')), false)
      assert.equal(await stage.backend.swap('k', undefined, undefined), false, 'removing nothing, where something is')
      await stage.holds(first)
      assert.equal(await stage.backend.swap('free', undefined, undefined), true, 'removing nothing, where nothing is')
      await stage.lacks('free')
    },
  }),

  rule({
    id: '3.4',
    says: '`swap` expecting a version where nothing is changes nothing and resolves to `false`',
    members: ['swap'],
    async check(stage) {
      assert.equal(await stage.backend.swap('k', 'v1', stage.item('k', 1)), false)
      assert.equal(await stage.backend.swap('k', 'v1', undefined), false)
      await stage.lacks('k')
    },
  }),

  rule({
    id: '3.5',
    says: '`swap` to `undefined` removes the item of exactly that version',
    members: ['swap'],
    async check(stage) {
      const item = stage.item('k', 1)
      await stage.backend.set(item)
      assert.equal(await stage.backend.swap('k', 'other', undefined), false)
      await stage.holds(item)
      assert.equal(await stage.backend.swap('k', item.version, undefined), true)
      await stage.lacks('k')
      assert.equal(await stage.backend.swap('k', item.version, undefined), false)
    },
  }),

  rule({
    id: '3.6',
    says: 'the version of an item that was removed never matches an equal value that was set again',
    members: ['swap'],
    async check(stage) {
      const first = stage.item('k', 'equal')
      const again = stage.item('k', 'equal')
      await stage.backend.set(first)
      await stage.backend.delete('k')
      await stage.backend.set(again)
      assert.equal(await stage.backend.swap('k', first.version, stage.item('k', 'late')), false)
      await stage.holds(again)
    },
  }),

  rule({
    id: '3.7',
    says: 'a placeholder counts for `swap`: it blocks `undefined` and matches its own version',
    members: ['swap'],
    async check(stage) {
      const held = stage.placeholder('k', { expiresAt: stage.now() + 60_000 })
      assert.equal(await stage.backend.swap('k', undefined, held), true)
      assert.equal(await stage.backend.swap('k', undefined, stage.placeholder('k')), false)
      assert.equal(await stage.backend.swap('k', 'other', stage.item('k', 1)), false)
      const loaded = stage.item('k', 'loaded')
      assert.equal(await stage.backend.swap('k', held.version, loaded), true)
      await stage.holds(loaded)
      const again = stage.placeholder('gone')
      await stage.backend.set(again)
      await stage.backend.delete('gone')
      assert.equal(await stage.backend.swap('gone', again.version, stage.item('gone', 'late')), false)
      await stage.lacks('gone')
    },
  }),

  rule({
    id: '3.8',
    says: 'of many swaps at once that expect the same version exactly one succeeds',
    members: ['swap'],
    async check(stage) {
      let version: string | undefined
      for (let round = 0; round < 5; round += 1) {
        const nexts = Array.from({ length: 20 }, (_, n) => stage.item('k', `${round}/${n}`))
        const answers = await Promise.all(nexts.map((next) => stage.backend.swap('k', version, next)))
        const won = nexts.filter((_, n) => answers[n])
        assert.equal(won.length, 1, `${won.length} of 20 swaps succeeded`)
        const [winner] = won
        if (winner) await stage.holds(winner)
        version = winner?.version
      }
    },
  }),

  rule({
    id: '3.9',
    says: '`swap` to an item that has already expired removes the item it expected, and resolves to `true`',
    members: ['swap'],
    async check(stage) {
      const item = stage.item('k', 1)
      await stage.backend.set(item)
      const late = stage.item('k', 2, { expiresAt: stage.now() - 1 })
      assert.equal(await stage.backend.swap('k', 'other', late), false)
      await stage.holds(item)
      assert.equal(await stage.backend.swap('k', item.version, late), true)
      await stage.lacks('k')
    },
  }),

  rule({
    id: '3.10',
    says: '`swap` to a value that cannot be kept rejects with `NOT_STORABLE` and leaves the old item',
    members: ['swap'],
    async check(stage) {
      if (stage.harness.values === 'references') stage.skip('the store keeps references by its own statement')
      const old = stage.item('k', 'old')
      await stage.backend.set(old)
      await stage.rejects(
        () =>
          stage.backend.swap(
            'k',
            old.version,
            stage.item('k', () => 1),
          ),
        'NOT_STORABLE',
      )
      await stage.holds(old)
    },
  }),

  rule({
    id: '3.11',
    says: 'a delete, a set or a clear between a read and its `swap` makes the swap fail',
    members: ['swap'],
    async check(stage) {
      const { backend } = stage
      const between = [() => backend.delete('k'), () => backend.set(stage.item('k', 'set')), () => backend.clear()]
      for (const change of between) {
        const item = stage.item('k', 'read')
        await backend.set(item)
        await change()
        assert.equal(await backend.swap('k', item.version, stage.item('k', 'late')), false)
        const found = await backend.get('k')
        assert(found?.value !== 'late' && found?.value !== 'read', `the key holds '${String(found?.value)}'`)
      }
    },
  }),
]

export const swapping: Chapter = { title: '3 Versions and `swap`', rules }
