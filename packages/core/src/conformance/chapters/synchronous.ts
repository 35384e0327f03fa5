import assert from 'node:assert/strict'
import { cacheErrorCode } from '../../protocol/cache-error.ts'
import { recordKey } from '../../protocol/keyspace.ts'
import { nearRules } from '../every-call/near-rules.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { assertItem } from '../stage/assert-item.ts'
import { Walk } from '../walk/walk.ts'
import { syncBackend } from '../wrappers/through-sync.ts'
import type { Chapter } from './chapter.ts'

const rules: readonly Rule[] = [
  rule({
    id: '13.1',
    says: 'every member of `sync` gives the same results as its asynchronous counterpart, on the same data',
    members: ['sync'],
    async check(stage) {
      const interfaces = [stage.backend, syncBackend(stage.backend.sync)]
      const keys = ['a', 'b', 'a:1', '', 'é']
      // A fixed seed, because 14.1 covers random ones: here each step uses the other interface than the step before.
      const options = { seed: 131, steps: 600, keys, prefixes: ['', 'a', 'a:'], moves: true }
      await new Walk(stage, interfaces, options).run()
    },
  }),

  rule({
    id: '13.2',
    says: '`sync` has every member of the asynchronous interface, under the same name',
    members: ['sync'],
    async check(stage) {
      const { backend } = stage
      assert.equal(backend.sync.name, backend.name)
      for (const member of ['getMany', 'setMany', 'deleteMany', 'compareAndSet', 'increment', 'keys'] as const) {
        assert.equal(typeof backend.sync[member], typeof backend[member], member)
      }
    },
  }),

  rule({
    id: '13.3',
    says: '`sync` returns results, never promises, and a write takes effect before it returns',
    members: ['sync'],
    async check(stage) {
      const { sync } = stage.backend
      const item = stage.item('k', { n: 1 })
      assert.equal(sync.set(item), undefined)
      assertItem(sync.get('k'), item)
      assert.equal(sync.delete('k'), true)
      assert.equal(sync.get('k'), undefined)
      sync.set(item)
      assert.equal(sync.clear(), undefined)
      assert.equal(sync.get('k'), undefined)
      if (sync.increment) assert.equal(sync.increment('n', 2), 2)
      if (sync.compareAndSet) assert.equal(sync.compareAndSet('k', undefined, item), true)
      if (sync.keys) assert(Symbol.iterator in sync.keys(), '`keys` returns an iterable that is not asynchronous')
    },
  }),

  rule({
    id: '13.4',
    says: 'after `close`, every call of `sync` throws `CLOSED`',
    members: ['sync', 'close'],
    async check(stage) {
      const { sync } = stage.backend
      await stage.close(stage.backend)
      const item = stage.item('k', 1)
      const calls = { get: () => sync.get('k'), set: () => sync.set(item), delete: () => sync.delete('k') }
      for (const [name, call] of Object.entries({ ...calls, clear: () => sync.clear() })) {
        assert.throws(call, (error) => cacheErrorCode(error) === 'CLOSED', name)
      }
    },
  }),

  rule({
    id: '13.5',
    says: '`near.get` returns the item that `get` would resolve to, or `undefined`',
    members: ['near'],
    async check(stage) {
      const { backend } = stage
      const agrees = async (key: string): Promise<void> => {
        const held = backend.near.get(key)
        const found = await backend.get(key)
        if (held !== undefined) assertItem(held, found ?? stage.item(key, 'nothing'))
        const again = backend.near.get(key)
        if (again !== undefined) assertItem(again, found ?? stage.item(key, 'nothing'))
      }
      const deadline = stage.soon()
      await agrees('k')
      await backend.set(stage.item('k', { n: 1 }, { expiresAt: deadline }))
      await agrees('k')
      await backend.set(stage.item('k', { n: 2 }, { expiresAt: deadline }))
      await agrees('k')
      await stage.pass(deadline)
      await agrees('k')
      for (const remove of [() => backend.delete('k'), () => backend.clear(), () => backend.clear('k')]) {
        await backend.set(stage.item('k', 'there'))
        await agrees('k')
        await remove()
        await agrees('k')
      }
      if (!backend.compareAndSet) return
      const item = stage.item('k', 'set')
      await backend.set(item)
      await agrees('k')
      await backend.compareAndSet('k', item.version, stage.item('k', 'swapped'))
      await agrees('k')
      await backend.set(stage.placeholder('k'))
      await agrees('k')
    },
  }),

  rule({
    id: '13.6',
    says: '`near.generation`, if present, changes whenever a record that `near.get` returned changes or expires',
    members: ['near'],
    async check(stage) {
      const { backend } = stage
      const record = recordKey('#', '', 'tag')
      const recordValue = (): unknown => backend.near.get(record)?.value
      const changes = [
        () => backend.set(stage.item(record, 'second')),
        () => backend.set(stage.item(record, 'third', { expiresAt: deadline })),
        () => stage.pass(deadline),
        () => backend.set(stage.item(record, 'fourth')),
        () => backend.delete(record),
        () => backend.set(stage.item(record, 'fifth')),
        () => backend.clear(),
      ]
      const deadline = stage.soon()
      await backend.set(stage.item(record, 'first'))
      for (const change of changes) {
        await backend.get(record)
        const [before, generation] = [recordValue(), backend.near.generation?.()]
        await change()
        if (before !== undefined && generation !== undefined && backend.near.generation?.() === generation)
          assert.equal(recordValue(), before)
      }
    },
  }),
]

export const synchronous: Chapter = { title: '13 Synchronous stores', rules: [...rules, ...nearRules] }
