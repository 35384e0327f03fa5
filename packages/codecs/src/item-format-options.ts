import type { Codec } from '@cache/core/backend'
import type { CompressionOptions } from './protection/compression.ts'
import type { EncryptionOptions } from './protection/encryption.ts'

/** How a backend encodes items. Every backend that stores bytes has these among its options. */
export interface ItemFormatOptions {
  /** Encodes values. Default: `msgpackCodec`. Strings and whole numbers need no codec. */
  readonly codec?: Codec | undefined
  /** Default: no compression. Compressed items can always be read. */
  readonly compression?: CompressionOptions | undefined
  /** Default: no encryption. With it, items that are not sealed are damaged. */
  readonly encryption?: EncryptionOptions | undefined
  /**
   * The largest number of encoded bytes of a value, before compression. `encode` refuses larger values as `NOT_STORABLE`,
   * `decode` as `DAMAGED`. Both also refuse values that take more than eight times as much memory, and more than 64 MiB.
   * Default: 64 MiB.
   */
  readonly maxDecodedBytes?: number | undefined
}

/** The names of `ItemFormatOptions`, for backends that check their options. */
export const itemFormatOptionNames: readonly string[] = ['codec', 'compression', 'encryption', 'maxDecodedBytes']
