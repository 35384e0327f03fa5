import assert from 'node:assert/strict'
import { transactionRules } from '../every-call/transaction-rules.ts'
import { rule } from '../rules/define-rule.ts'
import type { Rule } from '../rules/rule.ts'
import type { Chapter } from './chapter.ts'

/** The number of reads of another key, in sequence: time enough for a compare-and-set that does not wait. */
const reads = 20

const rules: readonly Rule[] = [
  rule({
    id: '15.1',
    says: 'changes through `inTransaction` are visible there at once, and elsewhere from the commit on',
    members: ['inTransaction'],
    means: ['beginTransaction'],
    async check(stage) {
      const { backend, harness } = stage
      const [old, next] = [stage.item('k', 'old'), stage.item('k', 'new')]
      const [gone, made] = [stage.item('gone', 1), stage.item('made', 1)]
      await backend.set(old)
      await backend.set(gone)
      const { transaction, commit } = await harness.beginTransaction()
      const view = backend.inTransaction(transaction)
      await view.set(next)
      await view.set(made)
      assert.equal(await view.delete('gone'), true)
      for (const item of [next, made]) await stage.holds(item, view)
      await stage.lacks('gone', view)
      for (const item of [old, gone]) await stage.holds(item)
      await stage.lacks('made')
      await commit()
      for (const item of [next, made]) await stage.holds(item)
      await stage.lacks('gone')
    },
  }),

  rule({
    id: '15.2',
    says: 'a rollback undoes every change through `inTransaction`',
    members: ['inTransaction'],
    means: ['beginTransaction'],
    async check(stage) {
      const { backend, harness } = stage
      const [old, gone] = [stage.item('k', 'old'), stage.item('gone', 1)]
      await backend.set(old)
      await backend.set(gone)
      const { transaction, rollBack } = await harness.beginTransaction()
      const view = backend.inTransaction(transaction)
      await view.set(stage.item('k', 'new'))
      await view.delete('gone')
      await view.clear('g')
      await rollBack()
      for (const item of [old, gone]) await stage.holds(item)
    },
  }),

  rule({
    id: '15.3',
    says: 'a key removed through `inTransaction`, even an empty one, is closed to other `compareAndSet` calls until the transaction ends',
    members: ['inTransaction', 'compareAndSet'],
    means: ['beginTransaction'],
    async check(stage) {
      const { backend, harness } = stage
      const there = stage.item('there', 1)
      await backend.set(there)
      for (const [key, expected] of [
        ['absent', undefined],
        ['there', there.version],
      ] as const) {
        const { transaction, commit } = await harness.beginTransaction()
        await backend.inTransaction(transaction).delete(key)
        let early: boolean | undefined
        const replacing = backend.compareAndSet(key, expected, stage.placeholder(key)).then(
          (done) => {
            early = done
          },
          // It may reject after a time-out.
          () => {
            early = false
          },
        )
        for (let n = 0; n < reads; n += 1) await backend.get('another')
        assert.notEqual(
          early,
          true,
          `compareAndSet of '${key}' succeeded before the commit of the transaction that removed the key`,
        )
        await commit()
        await replacing
      }
      await stage.lacks('there')
    },
  }),
]

export const transactions: Chapter = {
  title: '15 Transactions of the application',
  rules: [...rules, ...transactionRules],
}
