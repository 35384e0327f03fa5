import assert from 'node:assert/strict'
import { difference } from './difference.ts'

/** Fails unless the two values are deeply and strictly equal. `what` names the found value: `delete("k")`. */
export function assertSame(found: unknown, expected: unknown, what: string): void {
  const message = difference(found, expected, what)
  if (message !== undefined) throw new assert.AssertionError({ message, actual: undefined, expected: undefined })
}
