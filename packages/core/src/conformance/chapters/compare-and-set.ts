import assert from 'node:assert/strict'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { assertSame } from '../stage/assert-same.ts'
import { race, rivalsOf } from '../stage/race.ts'
import type { Chapter } from './chapter.ts'

const rules: readonly Rule[] = [
  rule({
    id: '3.1',
    says: '`compareAndSet` with the stored version replaces the item and resolves to `true`',
    members: ['compareAndSet'],
    async check(stage) {
      const old = stage.item('k', 'old', { tags: { t: 'v' }, cost: 3, expiresAt: stage.now() + 60_000 })
      const next = stage.item('k', 'next', { staleAt: stage.now() + 5 })
      await stage.backend.set(old)
      assert.equal(await stage.backend.compareAndSet('k', old.version, next), true)
      await stage.holds(next)
      const last = stage.item('k', 'last', { expiresAt: stage.now() + 60_000, tags: { a: 'b' } })
      assert.equal(await stage.backend.compareAndSet('k', next.version, last), true)
      await stage.holds(last)
    },
  }),

  rule({
    id: '3.2',
    says: '`compareAndSet` with another version changes nothing and resolves to `false`',
    members: ['compareAndSet'],
    async check(stage) {
      const old = stage.item('k', 'old', { expiresAt: stage.now() + 60_000 })
      await stage.backend.set(old)
      for (const version of [`${old.version}x`, old.version.slice(0, -1), `${old.version.toUpperCase()}A`, '0']) {
        assert.equal(await stage.backend.compareAndSet('k', version, stage.item('k', 'next')), false)
        assert.equal(await stage.backend.compareAndSet('k', version, undefined), false)
      }
      await stage.holds(old)
    },
  }),

  rule({
    id: '3.3',
    says: '`compareAndSet` that expects `undefined` stores the item only if the key has no live item',
    members: ['compareAndSet'],
    async check(stage) {
      const first = stage.item('k', null)
      assert.equal(await stage.backend.compareAndSet('k', undefined, first), true)
      await stage.holds(first)
      assert.equal(await stage.backend.compareAndSet('k', undefined, stage.item('k', 'second')), false)
      assert.equal(
        await stage.backend.compareAndSet('k', undefined, undefined),
        false,
        'removing nothing, where something is',
      )
      await stage.holds(first)
      assert.equal(
        await stage.backend.compareAndSet('free', undefined, undefined),
        true,
        'removing nothing, where nothing is',
      )
      await stage.lacks('free')
    },
  }),

  rule({
    id: '3.4',
    says: '`compareAndSet` that expects a version of an empty key changes nothing and resolves to `false`',
    members: ['compareAndSet'],
    async check(stage) {
      assert.equal(await stage.backend.compareAndSet('k', 'v1', stage.item('k', 1)), false)
      assert.equal(await stage.backend.compareAndSet('k', 'v1', undefined), false)
      await stage.lacks('k')
    },
  }),

  rule({
    id: '3.5',
    says: '`compareAndSet` to `undefined` removes the item if it has the expected version',
    members: ['compareAndSet'],
    async check(stage) {
      const item = stage.item('k', 1)
      await stage.backend.set(item)
      assert.equal(await stage.backend.compareAndSet('k', 'other', undefined), false)
      await stage.holds(item)
      assert.equal(await stage.backend.compareAndSet('k', item.version, undefined), true)
      await stage.lacks('k')
      assert.equal(await stage.backend.compareAndSet('k', item.version, undefined), false)
    },
  }),

  rule({
    id: '3.6',
    says: 'the version of a removed item never matches an equal value that was set again',
    members: ['compareAndSet'],
    async check(stage) {
      const first = stage.item('k', 'equal')
      const again = stage.item('k', 'equal')
      await stage.backend.set(first)
      await stage.backend.delete('k')
      await stage.backend.set(again)
      assert.equal(await stage.backend.compareAndSet('k', first.version, stage.item('k', 'late')), false)
      await stage.holds(again)
    },
  }),

  rule({
    id: '3.7',
    says: '`compareAndSet` treats a placeholder as an item: `undefined` does not match it, its own version does',
    members: ['compareAndSet'],
    async check(stage) {
      const held = stage.placeholder('k', { expiresAt: stage.now() + 60_000 })
      assert.equal(await stage.backend.compareAndSet('k', undefined, held), true)
      assert.equal(await stage.backend.compareAndSet('k', undefined, stage.placeholder('k')), false)
      assert.equal(await stage.backend.compareAndSet('k', 'other', stage.item('k', 1)), false)
      const loaded = stage.item('k', 'loaded')
      assert.equal(await stage.backend.compareAndSet('k', held.version, loaded), true)
      await stage.holds(loaded)
      const again = stage.placeholder('gone')
      await stage.backend.set(again)
      await stage.backend.delete('gone')
      assert.equal(await stage.backend.compareAndSet('gone', again.version, stage.item('gone', 'late')), false)
      await stage.lacks('gone')
    },
  }),

  rule({
    id: '3.8',
    says: 'of many concurrent `compareAndSet` calls that expect the same version, exactly one succeeds',
    members: ['compareAndSet'],
    async check(stage) {
      let version: string | undefined
      for (let round = 0; round < 5; round += 1) {
        const nexts = Array.from({ length: 20 }, (_, n) => stage.item('k', `${round}/${n}`))
        const answers = await Promise.all(nexts.map((next) => stage.backend.compareAndSet('k', version, next)))
        const won = nexts.filter((_, n) => answers[n])
        assert.equal(won.length, 1, `${won.length} of 20 calls succeeded`)
        const [winner] = won
        if (winner) await stage.holds(winner)
        version = winner?.version
      }
    },
  }),

  rule({
    id: '3.9',
    says: '`compareAndSet` to an expired item removes the expected item and resolves to `true`',
    members: ['compareAndSet'],
    async check(stage) {
      const item = stage.item('k', 1)
      await stage.backend.set(item)
      const late = stage.item('k', 2, { expiresAt: stage.now() - 1 })
      assert.equal(await stage.backend.compareAndSet('k', 'other', late), false)
      await stage.holds(item)
      assert.equal(await stage.backend.compareAndSet('k', item.version, late), true)
      await stage.lacks('k')
    },
  }),

  rule({
    id: '3.10',
    says: '`compareAndSet` to a value that the backend cannot keep rejects with `NOT_STORABLE`, and the old item stays',
    members: ['compareAndSet'],
    async check(stage) {
      if (stage.harness.values === 'references') stage.skip('the store keeps references by its own statement')
      const old = stage.item('k', 'old')
      await stage.backend.set(old)
      await stage.rejects(
        () =>
          stage.backend.compareAndSet(
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
    says: '`compareAndSet` fails if a delete, a set or a clear came after the read of its version',
    members: ['compareAndSet'],
    async check(stage) {
      const { backend } = stage
      const between = [() => backend.delete('k'), () => backend.set(stage.item('k', 'set')), () => backend.clear()]
      for (const change of between) {
        const item = stage.item('k', 'read')
        await backend.set(item)
        await change()
        assert.equal(await backend.compareAndSet('k', item.version, stage.item('k', 'late')), false)
        const found = await backend.get('k')
        assert(found?.value !== 'late' && found?.value !== 'read', `the key holds '${String(found?.value)}'`)
      }
    },
  }),

  rule({
    id: '3.12',
    says: '`compareAndSet` is atomic with respect to concurrent sets, deletes, clears and batches',
    members: ['compareAndSet'],
    async check(stage) {
      const { backend } = stage
      const other = await stage.anotherHandle()
      for (const rival of rivalsOf(backend)) {
        const wanted = stage.item('k', 'of the rival')
        await race(
          rival.name,
          async () => {
            const old = stage.item('k', 'old')
            await backend.set(old)
            const next = stage.item('k', 'next')
            return [() => backend.compareAndSet('k', old.version, next), () => rival.start(other, wanted)]
          },
          // Whichever call is first, the rival has the last word: after it, the expected version is gone.
          async () => {
            if (rival.removes) await stage.lacks('k')
            else await stage.holds(wanted)
          },
        )
      }
    },
  }),

  rule({
    id: '3.13',
    says: '`compareAndSet` that expects `undefined` is atomic with respect to concurrent writes of the key',
    members: ['compareAndSet'],
    async check(stage) {
      const { backend } = stage
      const other = await stage.anotherHandle()
      for (const rival of rivalsOf(backend)) {
        let wanted = stage.item('k', 'of the rival')
        let next = stage.item('k', 'next')
        await race(
          rival.name,
          async () => {
            await backend.delete('k')
            wanted = stage.item('k', 'of the rival')
            next = stage.item('k', 'next')
            return [() => backend.compareAndSet('k', undefined, next), () => rival.start(other, wanted)]
          },
          async (won, removed) => {
            if (!rival.removes) return await stage.holds(wanted)
            assertSame(won, true, 'compareAndSet')
            // A removal that found the item came second. One that found nothing came first.
            if (removed === true || removed === 1) await stage.lacks('k')
            else if (removed === false || removed === 0) await stage.holds(next)
          },
        )
      }
      if (!backend.increment) return
      await race(
        'increment',
        async () => {
          await backend.delete('k')
          return [
            () => backend.compareAndSet('k', undefined, stage.item('k', 100)),
            async () => other.increment?.('k', 1),
          ]
        },
        async (won, sum) => {
          assertSame(sum, won ? 101 : 1, `increment, where compareAndSet resolved to ${won}`)
          assertSame((await backend.get('k'))?.value, sum, 'the value of the key')
        },
      )
    },
  }),

  rule({
    id: '3.14',
    says: '`compareAndSet` to `undefined` is atomic with respect to concurrent writes of the key',
    members: ['compareAndSet'],
    async check(stage) {
      const { backend } = stage
      const other = await stage.anotherHandle()
      const prepare = async (value: unknown): Promise<() => Promise<boolean>> => {
        const old = stage.item('k', value)
        await backend.set(old)
        return () => backend.compareAndSet('k', old.version, undefined)
      }
      for (const rival of rivalsOf(backend)) {
        let wanted = stage.item('k', 'of the rival')
        await race(
          rival.name,
          async () => {
            wanted = stage.item('k', 'of the rival')
            return [await prepare('old'), () => rival.start(other, wanted)]
          },
          async (won, removed) => {
            if (!rival.removes) return await stage.holds(wanted)
            await stage.lacks('k')
            if (removed === undefined) return
            assertSame(
              Number(won) + Number(removed),
              1,
              `the removals by compareAndSet (${won}) and ${rival.name} (${removed})`,
            )
          },
        )
      }
      if (!backend.increment) return
      await race(
        'increment',
        async () => [await prepare(5), async () => other.increment?.('k', 1)],
        async (won, sum) => {
          assertSame(sum, won ? 1 : 6, `increment, where compareAndSet resolved to ${won}`)
          assertSame((await backend.get('k'))?.value, sum, 'the value of the key')
        },
      )
    },
  }),
]

export const compareAndSet: Chapter = { title: '3 Versions and `compareAndSet`', rules }
