/** Transactions on a `FileBackend`: several changes, all or none. */
export type { FileTransaction, TransactOptions } from './file-transaction.ts'
export { transact } from './transact.ts'
