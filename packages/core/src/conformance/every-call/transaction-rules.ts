import assert from 'node:assert/strict'
import type { CacheBackend } from '../../protocol/backend.ts'
import type { Item } from '../../protocol/item.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import { assertSame } from '../stage/assert-same.ts'
import { collect } from '../stage/collect.ts'
import { Faults } from '../stage/faults.ts'
import { readsOf } from '../stage/reads-of.ts'
import { removalsOf } from '../stage/removals-of.ts'
import type { Stage } from '../stage/stage.ts'
import { writesOf } from '../stage/writes-of.ts'

/** The number of reads of another key, in sequence: time enough for a compare-and-set that does not wait. */
const reads = 20

/** 15.4 to 15.6: transactions, through every call. */
export const transactionRules: readonly Rule[] = [
  rule({
    id: '15.4',
    says: 'every call through `inTransaction` sees its changes at once, and other handles see them from the commit on',
    members: ['inTransaction'],
    means: ['beginTransaction'],
    async check(stage) {
      const { backend, harness } = stage
      const plan = await prepare(stage, backend)
      const { transaction, commit } = await harness.beginTransaction()
      const view = backend.inTransaction(transaction)
      const faults = new Faults()
      const after = await faultless(faults, 'a change', () => changeAll(stage, view, plan))
      await shows(view, after, 'within the transaction', faults)
      await shows(backend, plan, 'elsewhere before the commit', faults)
      await commit()
      await shows(backend, after, 'elsewhere after the commit', faults)
      faults.report()
    },
  }),

  rule({
    id: '15.5',
    says: 'a rollback undoes the changes of every call through `inTransaction`',
    members: ['inTransaction'],
    means: ['beginTransaction'],
    async check(stage) {
      const { backend, harness } = stage
      const plan = await prepare(stage, backend)
      const { transaction, rollBack } = await harness.beginTransaction()
      const faults = new Faults()
      await faultless(faults, 'a change', () => changeAll(stage, backend.inTransaction(transaction), plan))
      await rollBack()
      await shows(backend, plan, 'after the rollback', faults)
      const later = stage.item('later', 1)
      await backend.set(later)
      await stage.holds(later)
      faults.report()
    },
  }),

  rule({
    id: '15.6',
    says: 'a key that any call removed through `inTransaction` is closed to other `compareAndSet` calls until the transaction ends',
    members: ['inTransaction', 'compareAndSet'],
    means: ['beginTransaction'],
    async check(stage) {
      const { backend, harness } = stage
      const faults = new Faults()
      const names = removalsOf(backend, stage).map(({ name }) => name)
      for (const name of names) {
        await faults.attempt(name, async () => {
          const there = stage.item('there', 1)
          await backend.set(there)
          const { transaction, commit } = await harness.beginTransaction()
          const view = backend.inTransaction(transaction)
          const removal = removalsOf(view, stage).find((one) => one.name === name)
          await removal?.remove('there')
          let won: boolean | undefined
          const replacing = backend.compareAndSet('there', there.version, stage.item('there', 'late')).then(
            (done) => {
              won = done
            },
            // It may reject after a time-out.
            () => {
              won = false
            },
          )
          if (removal) for (let n = 0; n < reads; n += 1) await backend.get('another')
          const early = won
          await commit()
          await replacing
          if (removal === undefined) return
          assert(early !== true, 'compareAndSet succeeded before the commit')
          await stage.lacks('there')
        })
      }
      faults.report()
    },
  }),
]

/** The expected value of each key; `undefined` for an empty one. */
type Expected = ReadonlyMap<string, unknown>

async function prepare(stage: Pick<Stage, 'item' | 'now'>, backend: CacheBackend): Promise<Expected> {
  const expected = new Map<string, unknown>()
  const names = [...writesOf(backend), ...removalsOf(backend, stage)].map(({ name }) => name)
  for (const name of [...names, 'increment']) {
    await backend.set(stage.item(name, name === 'increment' ? 5 : 'old'))
    expected.set(name, name === 'increment' ? 5 : 'old')
    expected.set(`new ${name}`, undefined)
  }
  return expected
}

/** Changes keys by every call of the view, and resolves to the expected values. Keys are named after the calls. */
async function changeAll(stage: Pick<Stage, 'item' | 'now'>, view: CacheBackend, before: Expected): Promise<Expected> {
  const expected = new Map(before)
  for (const { name, store } of writesOf(view)) {
    for (const key of [name, `new ${name}`]) {
      const item: Item = stage.item(key, `by ${name}`)
      await store(item)
      expected.set(key, item.value)
    }
  }
  for (const { name, remove } of removalsOf(view, stage)) {
    // The key of `clear` with a prefix is the start of no other key.
    await remove(name)
    expected.set(name, undefined)
  }
  if (view.increment) {
    assertSame(await view.increment('increment', 1), 6, 'increment of a counter that is stored')
    assertSame(await view.increment('new increment', 2), 2, 'increment of a missing key')
    expected.set('increment', 6)
    expected.set('new increment', 2)
  }
  return expected
}

async function shows(handle: CacheBackend, expected: Expected, where: string, faults: Faults): Promise<void> {
  for (const [key, value] of expected) {
    for (const read of readsOf(handle)) {
      await faults.attempt(where, async () =>
        assertSame((await read.find(key))?.value, value, `the value of '${key}' by ${read.name}`),
      )
    }
  }
  if (!handle.keys) return
  const live = [...expected].filter(([, value]) => value !== undefined).map(([key]) => key)
  await faults.attempt(where, async () => assertSame((await collect(handle.keys?.())).sort(), live.sort(), 'keys'))
}

/** The result of the work. Without one, the rule cannot go on. */
async function faultless<Value>(faults: Faults, name: string, work: () => Promise<Value>): Promise<Value> {
  let result: { readonly value: Value } | undefined
  await faults.attempt(name, async () => {
    result = { value: await work() }
  })
  if (result === undefined) faults.report()
  return (result as unknown as { readonly value: Value }).value
}
