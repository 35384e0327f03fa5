import * as zlib from 'node:zlib'
import { CacheError, checkOptions, invalidArgument, wholeNumber } from '@cache/core/backend'

export interface CompressionOptions {
  /** `'zstd'` is the fastest and needs Node 22.15 or later. `'gzip'` and `'brotli'` work in every Node. */
  readonly algorithm: 'zstd' | 'gzip' | 'brotli'
  /** Payloads of fewer bytes are not compressed. Default: 1024. */
  readonly threshold?: number | undefined
  /** Higher is smaller and slower: zstd 1 to 22 (default 3), gzip 1 to 9 (default 6), brotli 0 to 11 (default 4). */
  readonly level?: number | undefined
}

interface Algorithm {
  /** The first byte of the compressed payload. */
  readonly id: number
  readonly levels: readonly [least: number, most: number, standard: number]
  /** Absent if this Node does not have the algorithm. */
  readonly compress?: (bytes: Uint8Array, level: number) => Buffer
  readonly decompress?: (bytes: Uint8Array, maxOutputLength: number) => Buffer
}

const hasZstd = typeof zlib.zstdCompressSync === 'function'

const algorithms: Readonly<Record<string, Algorithm>> = {
  zstd: {
    id: 1,
    levels: [1, 22, 3],
    ...(hasZstd && {
      compress: (bytes, level) =>
        zlib.zstdCompressSync(bytes, { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } }),
      decompress: (bytes, maxOutputLength) => zlib.zstdDecompressSync(bytes, { maxOutputLength }),
    }),
  },
  gzip: {
    id: 2,
    levels: [1, 9, 6],
    compress: (bytes, level) => zlib.gzipSync(bytes, { level }),
    decompress: (bytes, maxOutputLength) => zlib.gunzipSync(bytes, { maxOutputLength }),
  },
  brotli: {
    id: 3,
    levels: [0, 11, 4],
    compress: (bytes, level) =>
      zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: level } }),
    decompress: (bytes, maxOutputLength) => zlib.brotliDecompressSync(bytes, { maxOutputLength }),
  },
}

/** A compressed payload must be smaller than this share of the plain one. Otherwise decompression costs more than it saves. */
const worthwhile = 0.9

/** Compresses payloads that are long enough and become at least a tenth smaller. */
export class Compression {
  readonly #threshold: number
  readonly #level: number
  readonly #algorithm: Algorithm

  constructor(options: CompressionOptions) {
    checkOptions(options, ['algorithm', 'threshold', 'level'], 'compression')
    const algorithm = Object.hasOwn(algorithms, options.algorithm) ? algorithms[options.algorithm] : undefined
    if (algorithm === undefined) {
      throw invalidArgument('algorithm', options.algorithm, "'zstd', 'gzip' or 'brotli'", 'compression')
    }
    if (algorithm.compress === undefined) {
      throw new CacheError(
        'UNSUPPORTED',
        `compression: zstd needs Node 22.15 or later, and this is ${process.version}; use 'gzip' or 'brotli'`,
        { operation: 'compression' },
      )
    }
    const [least, most, standard] = algorithm.levels
    this.#algorithm = algorithm
    this.#threshold = wholeNumber(options.threshold ?? 1024, 'threshold', 'compression')
    this.#level = wholeNumber(options.level ?? standard, 'level', 'compression', least, most)
  }

  /** The id of the algorithm and the compressed bytes, or `undefined` if the plain bytes are better. */
  compress(bytes: Uint8Array): Buffer | undefined {
    if (bytes.length < this.#threshold) return undefined
    const smaller = this.#algorithm.compress?.(bytes, this.#level)
    if (smaller === undefined || smaller.length + 1 > bytes.length * worthwhile) return undefined
    const marked = Buffer.allocUnsafe(smaller.length + 1)
    marked[0] = this.#algorithm.id
    smaller.copy(marked, 1)
    return marked
  }
}

/**
 * The decompressed bytes, for all algorithms, so that the option may change while old items are stored. Throws for bytes
 * that are not compressed, or that would exceed `most` bytes: 32 KB of zstd can become 1 GiB.
 */
export function decompress(bytes: Uint8Array, most: number): Buffer {
  for (const algorithm of Object.values(algorithms)) {
    if (algorithm.id !== bytes[0]) continue
    if (algorithm.decompress === undefined) throw new Error('this Node cannot read zstd')
    return algorithm.decompress(bytes.subarray(1), most)
  }
  throw new RangeError('an unknown compression algorithm')
}
