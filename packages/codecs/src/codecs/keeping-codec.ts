import type { Codec } from '@cache/core/backend'
import type { ValueKind } from './value-kind.ts'

/** A codec that lists the kinds of values that it keeps. Its `encode` refuses all other kinds. */
export interface KeepingCodec extends Codec {
  readonly keeps: readonly ValueKind[]
}
