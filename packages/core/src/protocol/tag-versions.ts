/** Tag record to the version that it had: what an item keeps, and what a load captures before it starts. */
export type TagVersions = Readonly<Record<string, string>>

let last = 0

/** A number that was never given before: a generation belongs to one store and one state of its records. */
export function newGeneration(): number {
  last += 1
  return last
}

const validAt: unique symbol = Symbol('validAt')

interface Remembering {
  [validAt]?: number
}

/**
 * Lets these versions remember at which generation they were last found valid: a comparison instead of a look-up for each tag of a
 * hit. Nobody else sees it: it is neither enumerable nor copied.
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
  // Not by assignment: what was frozen since only cannot remember.
  if (Object.hasOwn(tags, validAt)) Reflect.set(tags, validAt, generation)
}
