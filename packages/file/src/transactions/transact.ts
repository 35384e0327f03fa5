import { setTimeout as wait } from 'node:timers/promises'
import { CacheError, invalidArgument, wholeNumber } from '@cache/core/backend'
import { partsOf } from '../backend-parts.ts'
import type { FileBackend } from '../file-backend.ts'
import type { FileTransaction, TransactOptions } from './file-transaction.ts'
import { OpenTransaction } from './open-transaction.ts'

/**
 * Runs `work` and then writes all its changes at once; resolves to the result of `work`. Other processes see all
 * changes or none.
 *
 * The transaction is optimistic, after Kung and Robinson (ACM TODS 1981). No lock is held while `work` runs, so it may
 * await anything. At the end, one transaction of SQLite checks that every item which `work` read is unchanged, and
 * writes. Otherwise `work` runs again. After `attempts` runs the call rejects with `CONFLICT`. It rejects with the
 * error of `work`, and then writes nothing.
 */
export async function transact<Result>(
  backend: FileBackend,
  work: (transaction: FileTransaction) => Promise<Result> | Result,
  { attempts = 100 }: TransactOptions = {},
): Promise<Result> {
  const { directory, items } = partsOf(backend, 'transact')
  wholeNumber(attempts, 'attempts', 'transact', 1)
  if (typeof work !== 'function') throw invalidArgument('work', work, 'a function', 'transact')
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const transaction = new OpenTransaction(directory, items)
    const result = await work(transaction)
    await transaction.end()
    if (await transaction.commit()) return result
    // Random waits keep the transactions that lost from colliding again.
    await wait(Math.random() * Math.min(attempt, 20))
  }
  const message = `transact: other writers changed the items that it read, ${attempts} times in a row`
  throw new CacheError('CONFLICT', message, { backend: 'file', operation: 'transact' })
}
