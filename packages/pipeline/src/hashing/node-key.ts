import { hashText } from './hash-text.ts'

/**
 * The key of a result: the hash of all that it depends on. Each part is written with its length, so that no two lists have the same text.
 */
export function keyOf(parts: readonly string[]): string {
  return hashText(parts.map((part) => `${part.length}:${part}`).join(''))
}
