import { inspect } from 'node:util'

/** A value in a message: on one line and not long. */
export function inspectValue(value: unknown): string {
  const text = inspect(value, { depth: 3, breakLength: Number.POSITIVE_INFINITY })
  return text.length > 200 ? `${text.slice(0, 197)}…` : text
}
