import { isWellFormed } from '@cache/core/backend'
import { firstRecord, mostRecordMembers, mostRecords } from './extensions.ts'

interface Shape {
  readonly names: readonly string[]
  readonly token: number
}

/** The member names of objects that were written so far, each list with the token of its record. */
export class RecordShapes {
  readonly #byFirstName = new Map<string, Shape[]>()
  #last: Shape | undefined
  #count = 0

  clear(): void {
    this.#byFirstName.clear()
    this.#last = undefined
    this.#count = 0
  }

  /** The token of the record with these names, or -1. */
  find(names: readonly string[]): number {
    // Rows mostly follow rows of the same shape.
    const last = this.#last
    if (last !== undefined && isSame(last.names, names)) return last.token
    const shapes = this.#byFirstName.get(names[0] as string)
    if (shapes === undefined) return -1
    for (const shape of shapes) {
      if (isSame(shape.names, names)) {
        this.#last = shape
        return shape.token
      }
    }
    return -1
  }

  /** A new token for a record with these names, or -1 if they must be written as a map. */
  add(names: readonly string[]): number {
    if (this.#count === mostRecords || names.length === 0 || names.length > mostRecordMembers) return -1
    for (const name of names) if (name === '__proto__' || !isWellFormed(name)) return -1
    const shape = { names, token: firstRecord + this.#count }
    this.#count += 1
    this.#last = shape
    const first = names[0] as string
    const shapes = this.#byFirstName.get(first)
    if (shapes === undefined) this.#byFirstName.set(first, [shape])
    else shapes.push(shape)
    return shape.token
  }
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  const { length } = one
  if (other.length !== length) return false
  for (let index = 0; index < length; index += 1) if (one[index] !== other[index]) return false
  return true
}
