import type { Codec } from '@cache/core/backend'
import type { CodecType } from '../types/codec-type.ts'
import type { ValueKind } from './value-kind.ts'

/** A codec that lists the kinds of values that it keeps. Its `encode` refuses all other kinds. */
export interface KeepingCodec extends Codec {
  readonly keeps: readonly ValueKind[]
}

/** A codec that can be taught classes. */
export interface TypedCodec extends KeepingCodec {
  /**
   * The same codec with these types added: `msgpackCodec.withTypes([urlType])`. Bytes of values without them are the same. Throws
   * `INVALID_ARGUMENT` for two types of one name.
   */
  withTypes(types: readonly CodecType[]): TypedCodec
}
