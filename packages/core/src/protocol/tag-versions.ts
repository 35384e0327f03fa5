/** The version of each tag record. An item keeps them, and a load reads them before it starts. */
export type TagVersions = Readonly<Record<string, string>>

let last = 0

/** A new number. A generation stands for one store and one state of its tag records. */
export function newGeneration(): number {
  last += 1
  return last
}

const validAt: unique symbol = Symbol('validAt')

interface Remembering {
  [validAt]?: number
}

/**
 * Adds a hidden member to these versions: the generation at which they were last valid. A hit then needs one comparison instead
 * of a look-up for each tag. The member is not enumerable and is not copied.
 */
export function rememberValidity<Tags extends TagVersions>(tags: Tags): Tags {
  if (!Object.hasOwn(tags, validAt) && Object.isExtensible(tags))
    Object.defineProperty(tags, validAt, { value: 0, writable: true })
  return tags
}

export function wasValidAt(tags: TagVersions, generation: number): boolean {
  return (tags as Remembering)[validAt] === generation
}

export function foundValidAt(tags: TagVersions, generation: number): void {
  // Not by assignment, which throws when the object was frozen in the meantime.
  if (Object.hasOwn(tags, validAt)) Reflect.set(tags, validAt, generation)
}
