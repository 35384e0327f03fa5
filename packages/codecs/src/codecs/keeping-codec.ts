import type { Codec } from '@cache/core/backend'
import type { ValueKind } from './value-kind.ts'

/** A codec that states what it keeps. What it does not keep, its `encode` refuses. */
export interface KeepingCodec extends Codec {
  readonly keeps: readonly ValueKind[]
}
