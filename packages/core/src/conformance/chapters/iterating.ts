import assert from 'node:assert/strict'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { hardPrefixes } from '../samples/hard-keys.ts'
import { setAll } from '../stage/batches.ts'
import { collect } from '../stage/collect.ts'
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
]

export const iterating: Chapter = { title: '8 Iterating', rules }

function sorted(keys: Iterable<string>): string[] {
  return [...new Set(keys)].sort()
}
