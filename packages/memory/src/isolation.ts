import { CacheError, type Codec, type Item } from '@cache/core/backend'
import { cloneValue } from './isolation/clone-value.ts'
import { freezeValue } from './isolation/freeze-value.ts'

/** How stored values are isolated from changes by their readers and writers. */
export type Isolation = 'reference' | 'clone' | 'freeze' | 'codec'

export const isolations: readonly Isolation[] = ['reference', 'clone', 'freeze', 'codec']

/** Returns the item in its isolated form. `operation` is the name of the called method, for errors. */
export type Isolate = (item: Item, operation: string) => Item

interface IsolationSteps {
  /** Applied to an item before it is stored; `undefined` if it is stored unchanged. */
  readonly onWrite: Isolate | undefined
  /** Applied to a stored item before it is returned; `undefined` if it is returned unchanged. */
  readonly onRead: Isolate | undefined
}

/** The steps of an isolation. They throw `NOT_STORABLE` for a value that cannot be isolated. `codec` is that of `'codec'`. */
export function isolationSteps(isolation: Isolation, backend: string, codec: Codec | undefined): IsolationSteps {
  if (isolation === 'reference') return { onWrite: undefined, onRead: undefined }
  if (isolation === 'freeze') return { onWrite: copies(freezeTags, frozen, backend), onRead: undefined }
  const copy =
    codec === undefined ? copies(copyTags, cloneValue, backend) : copies(copyTags, throughCodec(codec), backend)
  return { onWrite: copy, onRead: copy }
}

type Tags = NonNullable<Item['tags']>

/** A function that returns a new item with the results of these two functions. */
function copies(tagsOf: (tags: Tags) => Tags, isolate: (value: unknown) => unknown, backend: string): Isolate {
  return (item, operation) => {
    try {
      const copy = { ...item, value: isolate(item.value) }
      return item.tags === undefined ? copy : { ...copy, tags: tagsOf(item.tags) }
    } catch (cause) {
      const reason = cause instanceof RangeError ? 'it is nested too deeply' : messageOf(cause)
      const message = `${operation}: the value cannot be stored: ${reason}`
      throw new CacheError('NOT_STORABLE', message, { operation, backend, key: item.key, cause })
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function copyTags(tags: Tags): Tags {
  return { ...tags }
}

/** A copy, because the object of the caller may be in use elsewhere. */
function freezeTags(tags: Tags): Tags {
  return Object.freeze({ ...tags })
}

function frozen(value: unknown): unknown {
  freezeValue(value)
  return value
}

/** The value that a store with this codec would return. Stores need no codec for placeholders, texts and whole numbers. */
function throughCodec(codec: Codec): (value: unknown) => unknown {
  return (value) => {
    if (value === undefined || typeof value === 'string') return value
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) return value
    return codec.decode(codec.encode(value))
  }
}
