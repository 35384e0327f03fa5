import { invalidArgument } from '@cache/core/backend'
import { overName } from '../graph/definition.ts'
import { hashValue } from '../hashing/hash-value.ts'
import type { Outcome } from './outcome.ts'
import type { StepContext } from './step-context.ts'

/** The items of a map: their hashes, and their values as far as they are needed. */
export class MapItems {
  readonly hashes: readonly string[]
  readonly valuesAt: (indexes: readonly number[]) => Promise<readonly unknown[]>

  private constructor(
    hashes: readonly string[],
    valuesAt: (indexes: readonly number[]) => Promise<readonly unknown[]>,
  ) {
    this.hashes = hashes
    this.valuesAt = valuesAt
  }

  /** Throws `INVALID_ARGUMENT` when the source of the items is no array, or an item has no hash. */
  static async of({ dependencies, definition }: StepContext): Promise<MapItems> {
    const over = dependencies.get(overName) as Outcome
    const { name } = definition.node
    // The hashes of the results of another map are known: only the values of changed items are read.
    const { elements } = over
    if (elements !== undefined) return new MapItems(await elements.hashes(), (indexes) => elements.valuesAt(indexes))
    const value = await over.value()
    if (!Array.isArray(value)) throw invalidArgument(`map '${name}': the value of over`, value, 'an array', 'run')
    const items: readonly unknown[] = value
    const hashes = Array.from(items, (item, index) => hashValue(item, () => `map '${name}': the item ${index}`).hash)
    return new MapItems(hashes, async (indexes) => indexes.map((index) => items[index]))
  }
}
