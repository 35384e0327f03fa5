import type { CacheBackend } from '../../../src/index.ts'
import type { Transaction, TransactionalBackend } from '../transactional-backend.ts'
import { transactionalHarness } from '../transactional-harness.ts'
import type { Broken } from './broken.ts'

function transactional(
  rule: string,
  does: string,
  inTransaction: (backend: TransactionalBackend, view: CacheBackend, transaction: Transaction) => CacheBackend,
): Broken {
  return {
    rule,
    does,
    harness: () =>
      transactionalHarness((backend) => {
        const honest = backend.inTransaction.bind(backend)
        return Object.assign(backend, {
          inTransaction: (transaction: unknown) =>
            inTransaction(backend, honest(transaction), transaction as Transaction),
        })
      }),
  }
}

export const brokenTransactions: readonly Broken[] = [
  transactional('15.1', 'deletes before the commit', (backend, view) => ({
    ...view,
    delete: (key) => backend.delete(key),
  })),
  transactional('15.1', 'shows the transaction what was there before it', (backend, view) => ({
    ...view,
    get: (key) => backend.get(key),
  })),
  transactional('15.2', 'clears outside of the transaction', (backend, view) => ({
    ...view,
    clear: (prefix) => backend.clear(prefix),
  })),
  transactional('15.3', 'locks no key by deleting it', (_backend, view, transaction) => ({
    ...view,
    delete: async (key) => {
      const deleted = await view.delete(key)
      transaction.closed.delete(key)
      return deleted
    },
  })),
  transactional('15.3', 'locks only keys that hold an item', (_backend, view, transaction) => ({
    ...view,
    delete: async (key) => {
      const deleted = await view.delete(key)
      if (!deleted) transaction.closed.delete(key)
      return deleted
    },
  })),
]
