import type { ItemIndex } from '../index/item-index.ts'

/** Ends a transaction. SQLite may have ended it already, as it does after some failures. */
export function tryToEnd(index: ItemIndex, how: 'commit' | 'rollback'): void {
  try {
    index.run(how)
  } catch {
    // No transaction is open.
  }
}
