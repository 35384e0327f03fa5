import type { Codec } from '@cache/core/backend'
import type { CompressionOptions } from './protection/compression.ts'
import type { EncryptionOptions } from './protection/encryption.ts'

/** How a backend turns items into bytes. Every backend that stores bytes takes these among its own options. */
export interface ItemFormatOptions {
  /** How values become bytes. Default `msgpackCodec`. Strings and whole numbers need no codec. */
  readonly codec?: Codec
  /** Default: no compression. Compressed items are read in any case. */
  readonly compression?: CompressionOptions
  /** Default: no encryption. With it, whatever is not sealed is refused as damaged. */
  readonly encryption?: EncryptionOptions
  /**
   * Values of more encoded bytes, before compression, are refused: in `encode` as `NOT_STORABLE` and in `decode` as `DAMAGED`. The
   * same goes for values that take more than eight times as many bytes of memory, and more than 64 MiB. Default 64 MiB.
   */
  readonly maxDecodedBytes?: number
}

/** The names of `ItemFormatOptions`, for a backend that checks its own. */
export const itemFormatOptionNames: readonly string[] = ['codec', 'compression', 'encryption', 'maxDecodedBytes']
