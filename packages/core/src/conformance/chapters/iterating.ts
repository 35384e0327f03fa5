import assert from 'node:assert/strict'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { hardPrefixes } from '../samples/hard-keys.ts'
import { assertSame } from '../stage/assert-same.ts'
import { setAll } from '../stage/batches.ts'
import { collect } from '../stage/collect.ts'
import { Faults } from '../stage/faults.ts'
import { removalsOf } from '../stage/removals-of.ts'
import { show } from '../stage/show.ts'
import type { Chapter } from './chapter.ts'

const rules: readonly Rule[] = [
  rule({
    id: '8.1',
    says: '`keys` yields every live key, or those that start with the prefix; no character is a wildcard or an escape',
    members: ['keys'],
    async check(stage) {
      const { backend } = stage
      assert.deepEqual(await collect(backend.keys()), [])
      const all = new Set<string>()
      for (const { prefix, own, others } of hardPrefixes) for (const key of [prefix, own, ...others]) all.add(key)
      await setAll(
        backend,
        [...all].map((key) => stage.item(key, null)),
      )
      assert.deepEqual(sorted(await collect(backend.keys())), sorted(all))
      assert.deepEqual(sorted(await collect(backend.keys(''))), sorted(all))
      for (const { prefix } of hardPrefixes) {
        const expected = [...all].filter((key) => key.startsWith(prefix))
        assert.deepEqual(sorted(await collect(backend.keys(prefix))), sorted(expected), `prefix ${prefix}`)
      }
      assert.deepEqual(await collect(backend.keys('nothing')), [])
    },
  }),

  rule({
    id: '8.2',
    says: '`keys` leaves out placeholders and expired items',
    members: ['keys'],
    async check(stage) {
      const { backend } = stage
      const deadline = stage.soon()
      await backend.set(stage.item('live', null))
      await backend.set(stage.placeholder('placeholder'))
      await backend.set(stage.item('expiring', 1, { expiresAt: deadline }))
      await stage.pass(deadline)
      assert.deepEqual(sorted(await collect(backend.keys())), ['live'])
      assert.deepEqual(await collect(backend.keys('p')), [])
    },
  }),

  rule({
    id: '8.3',
    says: '`keys` yields every key that lives through the whole iteration, while other keys come and go',
    members: ['keys'],
    async check(stage) {
      const { backend } = stage
      const stable = Array.from({ length: 2000 }, (_, n) => stage.item(`stable ${n}`, n))
      const leaving = Array.from({ length: 1000 }, (_, n) => stage.item(`leaving ${n}`, n))
      await setAll(backend, [...stable, ...leaving])
      const seen = new Set<string>()
      let step = 0
      for await (const key of backend.keys()) {
        seen.add(key)
        step += 1
        if (step % 50 !== 0) continue
        await backend.set(stage.item(`coming ${step}`, step))
        for (let n = step - 50; n < step && n < leaving.length; n += 10) await backend.delete(`leaving ${n}`)
        // The iteration must still yield an item that is set again.
        await backend.set(stage.item(`stable ${step % stable.length}`, step))
        assert(step < 20_000, 'the iteration does not end')
      }
      const missed = stable.filter((item) => !seen.has(item.key))
      assert.equal(missed.length, 0, `${missed.length} keys missed, such as ${missed[0]?.key}`)
    },
  }),

  rule({
    id: '8.4',
    says: 'a caller may end an iteration early, and the backend still works',
    members: ['keys'],
    async check(stage) {
      const { backend } = stage
      const items = Array.from({ length: 1000 }, (_, n) => stage.item(`k${n}`, n))
      await setAll(backend, items)
      for (let round = 0; round < 5; round += 1) {
        let seen = 0
        for await (const key of backend.keys()) {
          assert(key.startsWith('k'))
          seen += 1
          if (seen === 3) break
        }
        assert.equal(seen, 3)
      }
      const item = stage.item('k0', 'again')
      await backend.set(item)
      await stage.holds(item)
      await backend.clear()
      assert.deepEqual(await collect(backend.keys()), [])
    },
  }),

  rule({
    id: '8.5',
    says: '`keys` yields each of ten thousand keys, and the few that start with a rare prefix',
    members: ['keys'],
    async check(stage) {
      const { backend } = stage
      const deadline = stage.soon()
      const items = Array.from({ length: 10_000 }, (_, n) => {
        if (n % 1999 === 7) return stage.item(`rare:${n}`, n)
        return n % 4 === 3 ? stage.item(`é ${n} Ü`, n) : stage.item(`bulk:${Math.imul(n, 7919) % 10_007}`, n)
      })
      const held = Array.from({ length: 2500 }, (_, n) => stage.placeholder(`held:${n}`))
      const expiring = Array.from({ length: 2500 }, (_, n) => stage.item(`gone:${n}`, n, { expiresAt: deadline }))
      const last = [stage.item('rare:last', 1), stage.item('zz', 1), stage.item('\u0000first', 1)]
      await setAll(backend, [...expiring, ...items, ...held, ...last])
      await stage.pass(deadline)
      const all = [...items, ...last].map(({ key }) => key)
      for (const prefix of ['', 'rare:', 'bulk:', 'bulk:1', 'é ', 'zz', 'held:', 'gone:', 'rare:l', 'none']) {
        const found = new Set(await collect(backend.keys(prefix)))
        const expected = new Set(all.filter((key) => key.startsWith(prefix)))
        const missed = [...expected].filter((key) => !found.has(key))
        const wrong = [...found].filter((key) => !expected.has(key))
        assert(
          missed.length + wrong.length === 0,
          `keys(${show(prefix)}) yields ${found.size} keys instead of ${expected.size}; missed: ${missed.length}, such as ${show(missed[0] ?? 'none')}; wrong: ${wrong.length}, such as ${show(wrong[0] ?? 'none')}`,
        )
      }
    },
  }),

  rule({
    id: '8.6',
    says: '`keys` yields every key although the caller removes each key that it receives',
    members: ['keys'],
    async check(stage) {
      const { backend } = stage
      const count = 2500
      const faults = new Faults()
      const removals = removalsOf(backend, stage).filter(({ name }) => !name.startsWith('clear'))
      for (const [n, { name, remove }] of removals.entries()) {
        await faults.attempt(name, async () => {
          const own = n === 0 ? count : 120
          const items = Array.from({ length: own }, (_, index) => stage.item(`k:${index}`, index))
          await setAll(backend, items)
          await backend.set(stage.item('other', 1))
          const seen = new Set<string>()
          for await (const key of backend.keys('k:')) {
            seen.add(key)
            await remove(key)
          }
          assertSame(seen.size, own, 'the number of keys that an iteration yields while they are removed')
          assertSame(await collect(backend.keys()), ['other'], 'the keys that are left')
        })
        await backend.clear()
      }
      faults.report()
    },
  }),

  rule({
    id: '8.7',
    says: 'several iterations at the same time each yield every key',
    members: ['keys'],
    async check(stage) {
      const { backend } = stage
      const items = Array.from({ length: 1500 }, (_, n) => stage.item(`${n % 2 ? 'odd' : 'even'}:${n}`, n))
      await setAll(backend, items)
      const prefixes = ['', 'odd:', 'even:', '', 'odd:1', 'none']
      const found = await Promise.all(prefixes.map((prefix) => collect(backend.keys(prefix))))
      for (const [n, prefix] of prefixes.entries()) {
        const expected = items.map(({ key }) => key).filter((key) => key.startsWith(prefix))
        assertSame(sorted(found[n] ?? []), sorted(expected), `keys(${show(prefix)}) at the same time as others`)
      }
    },
  }),
]

export const iterating: Chapter = { title: '8 Iterating', rules }

function sorted(keys: Iterable<string>): string[] {
  return [...new Set(keys)].sort()
}
