import { hashValue } from './hashing/hash-value.ts'

/**
 * The hash by which a pipeline compares inputs and results: 43 characters, equal for equal data and different for all other data. Throws
 * `INVALID_ARGUMENT` for a value without a hash.
 */
export function hashOf(value: unknown): string {
  return hashValue(value, () => 'hashOf: the value').hash
}
