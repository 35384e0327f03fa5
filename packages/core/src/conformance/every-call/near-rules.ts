import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'
import { recordKey } from '../../protocol/keyspace.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { assertItem } from '../stage/assert-item.ts'
import { Faults } from '../stage/faults.ts'
import { removalsOf } from '../stage/removals-of.ts'
import { show } from '../stage/show.ts'
import type { Stage } from '../stage/stage.ts'
import { writesOf } from '../stage/writes-of.ts'

const record = recordKey('#', '', 'tag')

/** 13.7 and 13.8: near copies, after every kind of write. */
export const nearRules: readonly Rule[] = [
  rule({
    id: '13.7',
    says: '`near.get` returns no item that any write or removal has replaced, once the call has resolved',
    members: ['near'],
    async check(stage) {
      const { backend } = stage
      const faults = new Faults()
      for (const key of ['k', record]) {
        for (const change of changesOf(backend, stage, key)) {
          await faults.attempt(`${change.name} of ${show(key)}`, async () => {
            await backend.set(stage.item(key, 1))
            await agrees(backend, key)
            await change.run()
            await agrees(backend, key)
          })
        }
        if (stage.harness.openSecond === undefined) continue
        const other = await stage.opened(stage.harness.openSecond())
        for (const change of changesOf(other, stage, key)) {
          await faults.attempt(`${change.name} of ${show(key)} through another handle`, async () => {
            await backend.set(stage.item(key, 1))
            await backend.get(key)
            await change.run()
            // From the next read on. Until then, a message may be on its way.
            await backend.get(key)
            await agrees(backend, key)
          })
        }
      }
      const deadline = stage.soon()
      await backend.set(stage.item('k', 1, { expiresAt: deadline }))
      await agrees(backend, 'k')
      await stage.pass(deadline)
      assert(backend.near.get('k') === undefined, 'near.get returns an expired item')
      faults.report()
    },
  }),

  rule({
    id: '13.8',
    says: '`near.generation`, if present, never returns a number from before a write or removal of a record that `near.get` returned',
    members: ['near'],
    async check(stage) {
      const { backend } = stage
      const seen = new Set<number>()
      const faults = new Faults()
      const follow = async (name: string, change: () => Promise<unknown>, looks: boolean): Promise<void> => {
        await faults.attempt(name, async () => {
          await backend.set(stage.item(record, 1))
          await backend.get(record)
          const held = backend.near.get(record)
          const generation = backend.near.generation?.()
          if (held === undefined || generation === undefined) return
          seen.add(generation)
          await change()
          if (looks) await backend.get(record)
          const now = backend.near.generation?.()
          assert(now === undefined || !seen.has(now), `the generation is still ${now}, or ${now} again`)
        })
      }
      for (const { name, run } of changesOf(backend, stage, record)) await follow(name, run, false)
      if (stage.harness.openSecond) {
        const other = await stage.opened(stage.harness.openSecond())
        for (const { name, run } of changesOf(other, stage, record))
          await follow(`${name} through another handle`, run, true)
      }
      faults.report()
    },
  }),
]

interface Change {
  readonly name: string
  run(): Promise<unknown>
}

/** Every way to change the item of a key that holds 1. */
function changesOf(backend: CacheBackend, stage: Pick<Stage, 'item' | 'now'>, key: string): readonly Change[] {
  const changes: Change[] = []
  for (const { name, store } of writesOf(backend)) {
    changes.push({ name, run: () => store(stage.item(key, 2)) })
    changes.push({ name: `${name} of a placeholder`, run: () => store(stage.item(key, undefined)) })
  }
  for (const { name, remove } of removalsOf(backend, stage)) changes.push({ name, run: () => remove(key) })
  changes.push({ name: 'clear', run: () => backend.clear() })
  if (key !== '') changes.push({ name: 'clear with a short prefix', run: () => backend.clear(key.slice(0, 1)) })
  if (backend.increment) changes.push({ name: 'increment', run: async () => backend.increment?.(key, 1) })
  return changes
}

/** Fails unless the near copy, if there is one, is the item that `get` resolves to: before the read and after it. */
async function agrees(backend: CacheBackend, key: string): Promise<void> {
  const before = backend.near?.get(key)
  const found = await backend.get(key)
  const after = backend.near?.get(key)
  for (const [when, held] of [
    ['before', before],
    ['after', after],
  ] as const) {
    if (held === undefined) continue
    assert(
      found !== undefined,
      `near.get ${when} a read returns the value ${show((held as Item).value)}, and get resolves to undefined`,
    )
    assertItem(held, found)
  }
}
