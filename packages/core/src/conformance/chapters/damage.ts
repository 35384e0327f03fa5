import assert from 'node:assert/strict'
import type { BackendEvent } from '../../protocol/backend.ts'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import { damageRules } from '../every-call/damage-rules.ts'
import type { Damage } from '../harness/harness.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { assertItem } from '../stage/assert-item.ts'
import { collect } from '../stage/collect.ts'
import { reportsDamage } from '../stage/reports-damage.ts'
import { show } from '../stage/show.ts'
import type { Chapter } from './chapter.ts'

const damages: readonly Damage[] = ['garbage', 'truncated', 'empty']

const rules: readonly Rule[] = [
  rule({
    id: '9.1',
    says: 'unreadable stored bytes are a miss and emit an `error` event with the code `DAMAGED`',
    members: ['listen'],
    means: ['corrupt'],
    async check(stage) {
      const { backend, harness } = stage
      const events: BackendEvent[] = []
      backend.listen((event) => events.push(event))
      for (const damage of damages) {
        events.length = 0
        await backend.set(stage.item('k', { some: 'value' }))
        await harness.corrupt('k', damage)
        await stage.lacks('k')
        await stage.until(() => reportsDamage(events, 'k'), `an error event of code DAMAGED for ${damage} bytes`)
      }
    },
  }),

  rule({
    id: '9.2',
    says: '`set` overwrites a damaged item, `delete` removes it, and a batch returns the other items',
    means: ['corrupt'],
    async check(stage) {
      const { backend, harness } = stage
      for (const damage of damages) {
        const whole = [stage.item('a', { n: 1 }), stage.item('b', { n: 2 })]
        for (const item of [...whole, stage.item('k', { n: 3 })]) await backend.set(item)
        await harness.corrupt('k', damage)
        if (backend.getMany) {
          const [first, damaged, last] = await backend.getMany(['a', 'k', 'b'])
          assert.equal(damaged, undefined)
          for (const [n, item] of whole.entries()) assertItem(n === 0 ? first : last, item)
        }
        const again = stage.item('k', 'again')
        await backend.set(again)
        await stage.holds(again)
        await harness.corrupt('k', damage)
        await backend.delete('k')
        await stage.lacks('k')
        if (backend.compareAndSet)
          assert.equal(await backend.compareAndSet('k', undefined, undefined), true, 'the key is not empty')
      }
    },
  }),

  rule({
    id: '9.3',
    says: 'bytes of a later format version are a miss and emit an `error` event; the caller gets no error',
    members: ['listen'],
    means: ['futureFormat'],
    async check(stage) {
      const { backend, harness } = stage
      const events: BackendEvent[] = []
      backend.listen((event) => events.push(event))
      await backend.set(stage.item('k', 'value'))
      await harness.futureFormat('k')
      await stage.lacks('k')
      await stage.until(() => reportsDamage(events, 'k'), 'an error event of code DAMAGED')
      const again = stage.item('k', 'again')
      await backend.set(again)
      await stage.holds(again)
    },
  }),

  rule({
    id: '9.4',
    says: '`compareAndSet` that expects `undefined` replaces a damaged item, which counts as absent',
    members: ['compareAndSet'],
    means: ['corrupt'],
    async check(stage) {
      for (const damage of damages) {
        await stage.backend.set(stage.item('k', { some: 'value' }))
        await stage.harness.corrupt('k', damage)
        const next = stage.item('k', 'next')
        assert.equal(await stage.backend.compareAndSet('k', undefined, next), true, damage)
        await stage.holds(next)
      }
    },
  }),

  rule({
    id: '9.5',
    says: '`increment` of a damaged item starts from 0, or rejects with `NOT_A_NUMBER` or `DAMAGED`',
    members: ['increment'],
    means: ['corrupt'],
    async check(stage) {
      for (const damage of damages) {
        await stage.backend.set(stage.item('k', 12345))
        await stage.harness.corrupt('k', damage)
        const answer = await stage.backend.increment('k', 1).catch((error: unknown) => error)
        const code = cacheErrorCode(answer)
        const kept = answer === 1 || code === 'NOT_A_NUMBER' || code === 'DAMAGED'
        assert(kept, `${damage} bytes: ${show(answer)}`)
        await stage.backend.delete('k')
        assert.equal(await stage.backend.increment('k', 1), 1)
        await stage.backend.delete('k')
      }
    },
  }),

  rule({
    id: '9.6',
    says: '`keys`, `clear` and deletes do not fail because of a damaged item, and `clear` removes it',
    means: ['corrupt'],
    async check(stage) {
      const { backend, harness } = stage
      for (const damage of damages) {
        for (const key of ['a', 'k', 'z']) await backend.set(stage.item(key, { of: key }))
        await harness.corrupt('k', damage)
        if (backend.keys) {
          const found = await collect(backend.keys())
          assert(found.includes('a') && found.includes('z'), `keys yields ${show(found)}`)
        }
        if (backend.deleteMany) assert.equal(await backend.deleteMany(['a']), 1)
        await backend.clear()
        for (const key of ['a', 'k', 'z']) await stage.lacks(key)
        if (backend.compareAndSet)
          assert.equal(await backend.compareAndSet('k', undefined, undefined), true, 'the key is not empty')
      }
    },
  }),
]

export const damage: Chapter = { title: '9 Damage and formats', rules: [...rules, ...damageRules] }
