import type { CodecType } from '../types/codec-type.ts'
import { textOf } from './text-of.ts'

/** What the type needs of an `ObjectId`. */
interface ObjectIdLike {
  toHexString(): string
}

/**
 * `ObjectId` of MongoDB, stored as 24 hexadecimal digits: `objectIdType(ObjectId)`, with the class of `mongodb`, `bson` or
 * `mongoose.Types`. An `ObjectId` of another copy of `bson` is one too.
 */
export function objectIdType<Id extends ObjectIdLike>(ObjectId: new (hex: string) => Id): CodecType<Id> {
  return {
    name: 'ObjectId',
    is: (value) => (value as { readonly _bsontype?: unknown })._bsontype === 'ObjectId',
    encode: (id) => id.toHexString(),
    decode: (data) => new ObjectId(textOf(data, 'ObjectId')),
  }
}
